//! What `check` says of the token.

use serde_json::json;

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;

#[tokio::test]
async fn check_names_the_scopes_a_token_lacks() {
    let (simulator, test) = (Simulator::start(5, 5, 5), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url);
    let said = text(&setup.run(&["check"]).await.stdout);
    assert!(said.contains("ok       scopes"), "{said}");

    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let said = text(&setup.run(&["check"]).await.stdout);
    assert!(said.contains("warning  scopes") && said.contains("lacks crm.objects.deals.read;"), "{said}");
}

#[tokio::test]
async fn a_token_hubspot_tells_nothing_of_is_no_failure() {
    let (simulator, test) = (Simulator::start(5, 5, 5), TestDatabase::migrated().await);
    let refusal = json!({"kind": "status", "status": 404, "body": "{\"message\": \"not found\"}"});
    simulator.fault(json!({"match": {"pathContains": "access-token-info"}, "action": refusal})).await;
    let output = Setup::new(&simulator, &test.url).run(&["check"]).await;
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("note     scopes"), "{said}");
}
