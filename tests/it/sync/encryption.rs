//! Encryption towards MariaDB, and whom it trusts.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::deploy::succeed;
use crate::scripts::PrivateServer;
use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;

/// A certificate authority, and the certificate of a server called `localhost` that it has signed.
fn certificates() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        succeed(Command::new("openssl").args(arguments).current_dir(directory.path()));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    for authority in ["ca", "other"] {
        let (out, keyout) = (format!("{authority}.pem"), format!("{authority}.key"));
        let subject = format!("/CN={authority}.test");
        let names = ["-x509", "-days", "2", "-subj", &subject, "-out", &out, "-keyout", &keyout];
        openssl(&[&["req"], &key[..], &names].concat());
    }
    let request = ["-subj", "/CN=localhost", "-out", "server.csr", "-keyout", "server.key"];
    openssl(&[&["req"], &key[..], &request].concat());
    std::fs::write(directory.path().join("names"), "subjectAltName=DNS:localhost").unwrap();
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ]);
    directory
}

/// What `status` says when it connects to `host` like this, and whether it succeeds.
async fn connects(
    server: &PrivateServer,
    test: &TestDatabase,
    host: &str,
    tls: &str,
    authority: &Path,
) -> Result<(), String> {
    let (credentials, database) = test.url.split_once('@').unwrap();
    let name = database.rsplit('/').next().unwrap();
    let output = Setup::empty()
        .set("DATABASE_URL", &format!("{credentials}@{host}:{}/{name}", server.port))
        .set("DB_TLS", tls)
        .set("DB_TLS_CA", authority.to_str().unwrap())
        .run(&["status"])
        .await;
    if output.status.success() { Ok(()) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_and_its_name() {
    let directory = certificates();
    let file = |name: &str| directory.path().join(name);
    let options =
        format!("--ssl-cert={} --ssl-key={}", file("server.pem").display(), file("server.key").display());
    let server = PrivateServer::start_with(&options);
    let test = TestDatabase::migrated_on(&server.url()).await;
    let (right, wrong) = (file("ca.pem"), file("other.pem"));

    for (host, tls, authority) in [
        ("localhost", "verify_identity", &right),
        ("localhost", "verify_ca", &right),
        // Another name than the certificate's.
        ("127.0.0.1", "verify_ca", &right),
        ("127.0.0.1", "required", &wrong),
    ] {
        assert_eq!(connects(&server, &test, host, tls, authority).await, Ok(()), "{host} {tls}");
    }
    for (host, tls, authority, words) in [
        ("localhost", "verify_identity", &wrong, "UnknownIssuer"),
        ("localhost", "verify_ca", &wrong, "UnknownIssuer"),
        ("127.0.0.1", "verify_identity", &right, "not valid for name"),
    ] {
        let said = connects(&server, &test, host, tls, authority).await.unwrap_err();
        assert!(said.contains(words), "{host} {tls}: {said}");
    }
    server.ask("ALTER USER hubspot@'127.0.0.1' REQUIRE SSL");
    assert!(connects(&server, &test, "127.0.0.1", "disabled", &right).await.is_err());
    assert_eq!(connects(&server, &test, "127.0.0.1", "required", &right).await, Ok(()), "it was encrypted");
}

#[tokio::test]
async fn a_server_without_encryption_is_not_good_enough_for_who_asks_for_it() {
    let directory = certificates();
    let server = PrivateServer::start_with("--skip-ssl");
    let test = TestDatabase::migrated_on(&server.url()).await;
    let authority = directory.path().join("ca.pem");
    for tls in ["required", "verify_ca", "verify_identity"] {
        let said = connects(&server, &test, "localhost", tls, &authority).await.unwrap_err();
        assert!(said.contains("TLS"), "{tls}: {said}");
    }
    assert_eq!(connects(&server, &test, "localhost", "preferred", &authority).await, Ok(()));
}
