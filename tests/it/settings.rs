//! Settings as the program takes them: secrets from files, and what it says about wrong ones.

use std::fs;

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::{Simulator, TOKEN};

/// Exit code of a wrong configuration.
const WRONG: Option<i32> = Some(2);

#[tokio::test]
async fn secrets_in_files_and_credentials_serve_as_well_as_variables() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    fs::write(directory.path().join("DATABASE_URL"), &test.url).unwrap();
    let setup = Setup::new(&simulator, &test.url)
        .set("HUBSPOT_ACCESS_TOKEN", "") // the same as none
        .set("HUBSPOT_ACCESS_TOKEN_FILE", token.to_str().unwrap())
        .set("DATABASE_URL", "");
    let with_credentials = setup.clone().set("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap());
    let good = with_credentials.run(&["check"]).await;
    assert!(text(&good.stdout).ends_with("Ready.\n"), "{}{}", text(&good.stdout), text(&good.stderr));

    fs::write(&token, "pat-wrong").unwrap();
    let refused = with_credentials.run(&["check"]).await;
    assert!(text(&refused.stdout).contains("401"), "the file is what counts: {}", text(&refused.stdout));

    // A command that asks HubSpot nothing needs no token, readable or not.
    fs::remove_file(&token).unwrap();
    let status = with_credentials.run(&["status"]).await;
    assert!(status.status.success(), "{}", text(&status.stderr));
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once_with_examples_and_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let (url, credential) = (directory.path().join("url"), directory.path().join("HUBSPOT_ACCESS_TOKEN"));
    fs::write(&url, "hunter2, but no URL").unwrap();
    fs::write(&credential, "").unwrap();
    let (url, credential) = (url.to_str().unwrap(), credential.to_str().unwrap());
    let setup = Setup::empty()
        .set("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())
        .set("DATABASE_URL_FILE", url)
        .set("DB_PORTS", "3306")
        .set("DB_CONNECTION", "mysql")
        .set("LOG_LEVEL", "loud");
    for command in ["run", "sync", "check"] {
        let output = setup.run(&[command]).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), WRONG, "{command}: {said}");
        for expected in [
            &*format!("HUBSPOT_ACCESS_TOKEN: the systemd credential `{credential}` is empty"),
            &format!("DATABASE_URL_FILE: the file `{url}` is not valid"),
            "DB_PORTS: is not a setting of hubspot-connector; did you mean DB_PORT? It must be a port, for example `3306`",
            "LOG_LEVEL: `loud` is not valid",
            "not a setting of hubspot-connector: DB_CONNECTION",
            "4 problem(s)",
        ] {
            assert!(said.contains(expected), "{command} does not say {expected}: {said}");
        }
        assert_eq!(said.matches(", for example `").count(), 4, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
