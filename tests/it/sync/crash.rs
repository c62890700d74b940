//! kill -9 at random moments, again and again, while HubSpot changes: nothing is lost, nothing is doubled.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::settle;

/// Kills of one test; `SOAK_KILLS` asks for more.
const KILLS: u32 = 25;

/// A number from the environment, or the default.
fn setting(name: &str, default: u32) -> u32 {
    let value = std::env::vars().find(|(variable, _)| variable == name);
    value.map_or(default, |(_, value)| value.parse().unwrap())
}

/// Runs of a lane that a kill ended.
async fn interrupted(test: &TestDatabase, lane: &str) -> i64 {
    test.number(&format!("SELECT COUNT(*) FROM sync_runs WHERE lane = '{lane}' AND outcome = 'interrupted'"))
        .await
}

#[tokio::test]
async fn a_daemon_killed_at_random_moments_ends_with_an_exact_mirror() {
    let seed = setting("SOAK_SEED", 20_261_122);
    let kills = setting("SOAK_KILLS", KILLS);
    println!("seed {seed}, {kills} kills");
    let mut random = ChaCha8Rng::seed_from_u64(seed.into());
    let (simulator, test) = (Simulator::start(2_500, 600, 900), TestDatabase::empty().await);
    // So slow that most of a daemon's life is spent between asking and storing.
    simulator
        .set(json!({"latencyMs": 120, "liveChangesPerSecond": 60, "indexLagMs": 300, "indexJitterMs": 700}))
        .await;
    let setup = Setup::new(&simulator, &test.url).at("* * * * * *");
    for kill in 0..kills {
        let daemon = setup.start(&["run"]);
        // The moment is the point: anywhere from start-up to the middle of an incremental run.
        let lifetime = Duration::from_millis(random.random_range(50..1_700));
        tokio::time::sleep(lifetime).await;
        daemon.kill();
        if kill % 6 == 5 {
            simulator.mutate(json!({"type": "deals", "count": 50, "seed": kill})).await;
        }
    }
    simulator.set(json!({"liveChangesPerSecond": 0, "latencyMs": 0})).await;
    settle(&setup, &simulator, &test).await;
    let (listings, searches) =
        (interrupted(&test, "backfill").await, interrupted(&test, "incremental").await);
    println!("{listings} listings and {searches} searches were interrupted");
    assert!(listings >= 3, "{listings} kills met a listing, so little is proven about resuming it");
    assert!(searches >= 3, "{searches} kills met a search, so little is proven about its watermark");
    for object_type in ["contacts", "companies", "deals"] {
        let twice = format!("SELECT COUNT(*) - COUNT(DISTINCT hubspot_id) FROM hubspot_{object_type}");
        assert_eq!(test.value(&twice).await, "0");
    }
    let listings = "SELECT COUNT(*) FROM sync_runs \
                    WHERE lane = 'backfill' AND object_type = 'contacts' AND outcome = 'succeeded'";
    assert_eq!(test.value(listings).await, "1", "one listing in all, however often it was interrupted");
}
