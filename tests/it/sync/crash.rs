//! kill -9 at random moments, again and again, while HubSpot changes: nothing is lost, nothing is doubled.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::settle;
use crate::support::{eventually, holds, soak_setting};

/// Kills in the midst of a run; `SOAK_KILLS` asks for more.
const KILLS: u32 = 25;

/// Lanes that runs are killed in.
const LANES: [&str; 2] = ["backfill", "incremental"];

/// Runs of each lane that a kill ended, as the daemon after it has recorded.
async fn interrupted(test: &TestDatabase) -> [i64; 2] {
    let mut counts = [0; 2];
    for (count, lane) in counts.iter_mut().zip(LANES) {
        let sql = format!("SELECT COUNT(*) FROM sync_runs WHERE lane = '{lane}' AND outcome = 'interrupted'");
        // Before the first daemon has come so far there is no table.
        *count = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&test.sql).await.unwrap_or(0);
    }
    counts
}

/// The newest run of a lane, 0 before the first.
async fn newest_run(test: &TestDatabase, lane: &str) -> i64 {
    let runs =
        format!("SELECT CAST(COALESCE(MAX(run_id), 0) AS SIGNED) FROM sync_runs WHERE lane = '{lane}'");
    sqlx::query_scalar(sqlx::AssertSqlSafe(runs)).fetch_one(&test.sql).await.unwrap_or(0)
}

/// One life: starts, and dies at a random moment of a run of the lane, or of start-up without one.
async fn live_and_die(setup: &Setup, test: &TestDatabase, random: &mut ChaCha8Rng, lane: Option<&str>) {
    let before = newest_run(test, lane.unwrap_or_default()).await;
    let daemon = setup.start(&["run"]);
    if let Some(lane) = lane {
        eventually("a run of the lane begins", async || {
            let newest = newest_run(test, lane).await;
            holds(newest > before, daemon.log())
        })
        .await;
    }
    // Not a wait for anything: the moment is the point.
    tokio::time::sleep(Duration::from_millis(random.random_range(1..400))).await;
    daemon.kill();
}

#[tokio::test]
async fn a_daemon_killed_at_random_moments_ends_with_an_exact_mirror() {
    let seed = soak_setting("SOAK_SEED", 20_261_122);
    let kills = soak_setting("SOAK_KILLS", KILLS);
    println!("seed {seed}, {kills} kills");
    let mut random = ChaCha8Rng::seed_from_u64(seed.into());
    let (simulator, test) = (Simulator::start(2_500, 600, 900), TestDatabase::empty().await);
    // So slow that most of a daemon's life is spent between asking and storing.
    simulator
        .set(json!({"latencyMs": 120, "liveChangesPerSecond": 60, "indexLagMs": 300, "indexJitterMs": 700}))
        .await;
    let setup = Setup::new(&simulator, &test.url).at("* * * * * *");
    for kill in 0..kills {
        // The first half while everything is being listed, the second half while changes are searched for.
        let lane = LANES[usize::from(kill >= kills / 2)];
        live_and_die(&setup, &test, &mut random, Some(lane)).await;
        if kill % 5 == 4 {
            live_and_die(&setup, &test, &mut random, None).await;
            simulator.mutate(json!({"type": "deals", "count": 50, "seed": kill})).await;
        }
    }
    simulator.set(json!({"liveChangesPerSecond": 0, "latencyMs": 0})).await;
    settle(&setup, &simulator, &test).await;
    let met = interrupted(&test).await;
    println!("{met:?} runs of {LANES:?} were interrupted");
    // A kill ends the runs of all types under way, or comes just after the last of them.
    assert!(
        met.iter().all(|runs| *runs >= i64::from(kills / 4)),
        "{met:?}: too little is proven about {LANES:?}"
    );
    for object_type in ["contacts", "companies", "deals"] {
        let twice = format!("SELECT COUNT(*) - COUNT(DISTINCT hubspot_id) FROM hubspot_{object_type}");
        assert_eq!(test.value(&twice).await, "0");
    }
    let listings = "SELECT COUNT(*) FROM sync_runs \
                    WHERE lane = 'backfill' AND object_type = 'contacts' AND outcome = 'succeeded'";
    assert_eq!(test.value(listings).await, "1", "one listing in all, however often it was interrupted");
}
