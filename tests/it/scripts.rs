//! The scripts: well-formed, and `scripts/mariadb` and `scripts/demo` keep what they promise.

mod demo;

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::deploy::{files_under, root, run, succeed};
use crate::support::eventually;

/// Every shell script of the repository.
fn scripts() -> Vec<std::path::PathBuf> {
    [files_under("scripts"), files_under(".ci")].concat()
}

/// A server of `scripts/mariadb` that ends with this value.
pub(crate) struct PrivateServer {
    directory: TempDir,
    /// Path of its socket.
    pub socket: String,
    /// Its port on 127.0.0.1.
    pub port: String,
}

impl PrivateServer {
    /// Starts one in a directory of its own.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with more options, separated by spaces. A start after a stop is without them.
    pub(crate) fn start_with(options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let said = succeed(command("start", directory.path()).env("MARIADB_SERVER_OPTIONS", options));
        Self { directory, socket: value(&said, "DB_SOCKET"), port: value(&said, "DB_PORT") }
    }

    /// The command `name` of the script on this server.
    fn command(&self, name: &str) -> Command {
        command(name, self.directory.path())
    }

    /// Where tests put their databases: an URL that ends in a slash.
    pub(crate) fn url(&self) -> String {
        let said = succeed(&mut self.command("start"));
        format!(
            "mysql://{}:{}@127.0.0.1:{}/",
            value(&said, "DB_USER"),
            value(&said, "DB_PASSWORD"),
            self.port
        )
    }

    /// Stops the server in good order.
    pub(crate) fn stop(&self) {
        succeed(&mut self.command("stop"));
    }

    /// Starts it again on the same port.
    pub(crate) fn start_again(&self) {
        succeed(&mut self.command("start"));
    }

    /// Kills the server as a power cut would and starts it again on the same port.
    pub(crate) fn restart_hard(&self) {
        succeed(self.command("restart").arg("--kill"));
    }

    /// The client as root, for an administrator's statements.
    pub(crate) fn client(&self) -> Command {
        self.command("sql")
    }

    /// The answer to a query, as root.
    pub(crate) fn ask(&self, sql: &str) -> String {
        succeed(self.client().args(["--skip-column-names", "--batch", "--execute", sql])).trim().to_owned()
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let finished = run(&mut self.command("kill"));
        assert!(finished.success || std::thread::panicking(), "{finished:?}");
    }
}

/// `scripts/mariadb name DIRECTORY`.
fn command(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(root().join("scripts/mariadb"));
    // Small, because several run at once beside the other tests.
    command.env("MARIADB_BUFFER_POOL_SIZE", "32M").env("MARIADB_LOG_FILE_SIZE", "16M");
    command.arg(name).arg(directory);
    command
}

/// The value of a line `name=value`.
fn value(lines: &str, name: &str) -> String {
    let line = lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {name} in: {lines}")).to_owned()
}

#[test]
fn bash_and_shellcheck_accept_every_script() {
    assert!(scripts().len() >= 5, "{:?}", scripts());
    for script in scripts() {
        succeed(Command::new("bash").arg("-n").arg(&script));
        succeed(Command::new("shellcheck").arg(&script));
    }
}

#[test]
fn a_server_started_twice_is_the_same_server() {
    let server = PrivateServer::start();
    let process = || std::fs::read_to_string(server.directory.path().join("mariadb.pid")).unwrap();
    let before = process();
    let said = succeed(&mut server.command("start"));
    assert_eq!(
        (value(&said, "DB_SOCKET"), value(&said, "DB_PORT")),
        (server.socket.clone(), server.port.clone())
    );
    assert_eq!(process(), before);
}

#[test]
fn committed_rows_and_the_port_survive_a_kill() {
    let server = PrivateServer::start();
    server.ask(
        "CREATE DATABASE test_kept; CREATE TABLE test_kept.t (n INT); INSERT INTO test_kept.t VALUES (7)",
    );
    let said = succeed(server.command("restart").arg("--kill"));
    assert_eq!(value(&said, "DB_PORT"), server.port);
    assert_eq!(server.ask("SELECT n FROM test_kept.t"), "7");
}

#[test]
fn the_user_reaches_our_databases_and_nobody_is_root_over_the_network() {
    let server = PrivateServer::start();
    let url = succeed(&mut server.command("url"));
    let (user, password) =
        url.trim().strip_prefix("mysql://").unwrap().split_once('@').unwrap().0.split_once(':').unwrap();
    let ask = |user: &str, password: &str, sql: &str| {
        run(Command::new("mariadb")
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--execute", sql])
            .arg(format!("--port={}", server.port))
            .arg(format!("--user={user}"))
            .env("MYSQL_PWD", password))
    };
    for name in ["hubspot", "hubspot_demo", "test_1"] {
        let finished = ask(user, password, &format!("CREATE DATABASE {name}; DROP DATABASE {name}"));
        assert!(finished.success, "{name}: {finished:?}");
    }
    assert!(!ask(user, password, "CREATE DATABASE testing").success, "only names that begin with test_");
    assert!(!ask("root", "", "SELECT 1").success, "root without a password must stay local");
}

#[test]
fn a_directory_too_deep_for_a_socket_still_works() {
    let directory = tempfile::Builder::new().prefix(&"deep".repeat(40)).tempdir().unwrap();
    let said = succeed(&mut command("start", directory.path()));
    assert!(value(&said, "DB_SOCKET").len() <= 107, "{said}");
    let answer =
        succeed(command("sql", directory.path()).args(["--skip-column-names", "--execute", "SELECT 41 + 1"]));
    assert_eq!(answer.trim(), "42");
    let socket = value(&said, "DB_SOCKET");
    assert!(Path::new(&socket).exists());
    succeed(&mut command("kill", directory.path()));
    let parent = Path::new(&socket).parent().unwrap();
    assert!(!parent.exists(), "{} is left behind", parent.display());
}

/// The process that serves `directory`, found by what it was told and not by what the script remembers of it.
fn server_in(directory: &Path) -> Option<u32> {
    let told = format!("--datadir={}/data", directory.display());
    let serves = |process: &u32| {
        let arguments = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == told.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).find(serves)
}

#[tokio::test]
async fn no_server_outlives_its_directory_even_when_its_start_was_cut_short() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (finished, interrupted) = (root.join("finished"), root.join("deeper/interrupted"));
    succeed(&mut command("start", &finished));
    let mut start = command("start", &interrupted).stdout(Stdio::null()).spawn().unwrap();
    eventually("the second server runs", async || server_in(&interrupted).ok_or_else(String::new)).await;
    start.kill().unwrap();
    start.wait().unwrap();
    assert!(server_in(&finished).is_some() && server_in(&interrupted).is_some());

    succeed(&mut command("kill-below", &root));

    assert_eq!([server_in(&finished), server_in(&interrupted)], [None, None]);
}
