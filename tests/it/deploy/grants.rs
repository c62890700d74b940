//! The least-privilege users, tried on a server of their own because users belong to a whole server.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::scripts::PrivateServer;
use crate::support::daemon::{Setup, text as text_of};
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

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

/// A server on which an administrator has run `grants.sql` where QUICKSTART.md had been followed before: the private
/// server itself made a user `hubspot` with another password and every right.
fn server_with_grants() -> PrivateServer {
    let server = PrivateServer::start();
    assert!(server.ask("SHOW GRANTS FOR 'hubspot'@'localhost'").contains("ALL PRIVILEGES"));
    administer(&server, &text("deploy/grants.sql"));
    server
}

/// Runs SQL as an administrator.
fn administer(server: &PrivateServer, sql: &str) {
    let mut client = server.client().stdin(Stdio::piped()).spawn().unwrap();
    client.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(client.wait().unwrap().success());
}

/// The daemon as DEPLOYMENT.md sets it up: over the socket, as one of the users of `grants.sql`.
fn setup(server: &PrivateServer, simulator: &Simulator, user: &str, password: &str) -> Setup {
    Setup::new(simulator, "") // set but empty: the same as none
        .set("DB_SOCKET", &server.socket)
        .set("DB_TLS", "disabled")
        .set("DB_USER", user)
        .set("DB_PASSWORD", password)
}

#[tokio::test]
async fn an_installation_with_the_least_rights_migrates_syncs_and_stays_in_step() {
    let (server, simulator) = (server_with_grants(), Simulator::start(300, 40, 50));
    let migrate = setup(&server, &simulator, "hubspot_migrate", "choose-a-password-1");
    let daemon = setup(&server, &simulator, "hubspot", "choose-a-password-2")
        .set("MIGRATE_ON_START", "false")
        .at("* * * * * *");
    let too_early = daemon.run(&["check"]).await;
    assert_eq!(too_early.status.code(), Some(1));
    assert!(text_of(&too_early.stdout).contains("run `hubspot-connector migrate`"));

    let migrated = migrate.run(&["migrate"]).await;
    assert!(migrated.status.success(), "{}", text_of(&migrated.stderr));
    let checked = daemon.run(&["check"]).await;
    assert!(text_of(&checked.stdout).ends_with("Ready.\n"), "{}", text_of(&checked.stdout));
    daemon.sync(&[]).await;
    let contacts = || server.ask("SELECT COUNT(*) FROM hubspot.hubspot_contacts");
    assert_eq!(contacts(), "300");

    // A further column takes both users in turn, as the document says.
    let columns = ("COLUMNS_CONTACTS", "customer_number");
    let migrated = migrate.set(columns.0, columns.1).run(&["migrate"]).await;
    assert!(migrated.status.success(), "{}", text_of(&migrated.stderr));
    simulator.create("contacts", 5).await;
    let daemon = daemon.set(columns.0, columns.1).start(&["run"]);
    eventually("the new contacts arrive", async || holds(contacts() == "305", contacts())).await;
    eventually("the new column is filled", async || {
        let left = server.ask("SELECT * FROM hubspot.column_fills");
        holds(left.is_empty(), left)
    })
    .await;
    let log = daemon.log();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    assert!(daemon.stop().await.success(), "{log}");
    let filled = "SELECT COUNT(customer_number) > 100 FROM hubspot.hubspot_contacts";
    assert_eq!(server.ask(filled), "1");
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

    // A second account, as DEPLOYMENT.md makes one, is a world of its own.
    assert!(text("DEPLOYMENT.md").contains("\nsed 's/hubspot/hubspot_acme/g' deploy/grants.sql > "));
    administer(&server, &text("deploy/grants.sql").replace("hubspot", "hubspot_acme"));
    let acme = |sql| as_user(&server, "hubspot_acme_migrate", "choose-a-password-1", sql);
    denied(acme("SELECT * FROM hubspot.t"));
    assert_eq!(
        server.ask("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'hubspot_acme'"),
        "1"
    );
}
