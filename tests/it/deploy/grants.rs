//! The least-privilege users, tried on a server of their own because users belong to a whole server.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::scripts::PrivateServer;

use super::{Finished, run, text};

/// Runs SQL as one of the users of `grants.sql`, over the socket.
fn as_user(server: &PrivateServer, user: &str, password: &str, sql: &str) -> Finished {
    run(Command::new("mariadb")
        .arg("--no-defaults")
        .arg(format!("--socket={}", server.socket))
        .arg(format!("--user={user}"))
        .arg(format!("--password={password}"))
        .args(["--database=hubspot", "--execute", sql]))
}

/// A server on which an administrator has run `grants.sql`.
fn server_with_grants() -> PrivateServer {
    let server = PrivateServer::start();
    // This one the private server made itself, with more rights than the file gives.
    let sql = format!("DROP USER 'hubspot'@'localhost';\n{}", text("deploy/grants.sql"));
    let mut client = server.client().stdin(Stdio::piped()).spawn().unwrap();
    client.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(client.wait().unwrap().success());
    server
}

#[test]
fn each_user_can_do_its_work_and_no_more() {
    let server = server_with_grants();
    let migrate = |sql| as_user(&server, "hubspot_migrate", "choose-a-password-1", sql);
    let daemon = |sql| as_user(&server, "hubspot", "choose-a-password-2", sql);
    let reader = |sql| as_user(&server, "hubspot_reader", "choose-a-password-3", sql);
    let denied = |finished: Finished| {
        assert!(!finished.success && finished.stderr.contains("denied"), "{finished:?}");
    };
    let allowed = |finished: Finished| assert!(finished.success, "{finished:?}");

    denied(daemon("CREATE TABLE t (id BIGINT PRIMARY KEY)"));
    allowed(migrate(
        "CREATE TABLE t (id BIGINT PRIMARY KEY);
         ALTER TABLE t ADD COLUMN name VARCHAR(50), ADD INDEX t_by_name (name);
         CREATE TRIGGER t_before BEFORE UPDATE ON t FOR EACH ROW SET NEW.name = TRIM(NEW.name);
         SELECT GET_LOCK('hubspot_connector.migrate', 0)",
    ));
    allowed(daemon(
        "INSERT INTO t VALUES (1, 'a');
         UPDATE t SET name = ' b ' WHERE id = 1;
         SELECT * FROM t WHERE id = 1 FOR UPDATE SKIP LOCKED;
         DELETE FROM t WHERE id = 2",
    ));
    denied(daemon("ALTER TABLE t ADD COLUMN other INT"));
    denied(daemon("DROP TABLE t"));
    allowed(reader("SELECT * FROM t"));
    denied(reader("UPDATE t SET name = 'c'"));
    for who in [migrate("SELECT * FROM mysql.global_priv"), daemon("SELECT * FROM mysql.global_priv")] {
        denied(who);
    }
}
