//! Changes HubSpot tells of: how soon one is in its row, and what a storm of events costs.
//!
//! Events are received in this process and dealt with by the daemon in its own, which looks for them a few times a second:
//! the slower of the two ways there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubspot_mariadb_connector::config::{Config, DatabaseConfig, Environment};
use hubspot_mariadb_connector::lifecycle::Lifecycle;
use hubspot_mariadb_connector::storage;
use hubspot_mariadb_connector::web::Situation;
use hubspot_mariadb_connector::web::webhooks::{PATH, Receiver, router};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::net::TcpListener;

use super::daemon::Daemon;
use super::report::{Figure, Goal, quantile};
use super::simulator::{LATENCY_MS, LIMIT, Simulator, Size, Temper, stat};
use super::surroundings::{Database, Surroundings, wait_for};

/// Contacts of the account.
const CONTACTS: u64 = 10_000;
/// Changes made one after the other.
const SINGLE: usize = 200;
/// Longest pause between two of them: they come at any time of a period in which the daemon looks for events.
const PAUSE: Duration = Duration::from_millis(500);
/// Events of the storm, and the records they are about.
const STORM: (u64, u64) = (10_000, 1_000);
/// How often the database is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What the app signs with.
const SECRET: &str = "sim-app-secret-0001";

/// Syncs everything from a simulator nearby, then lets one far away tell of changes.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let near = Simulator::start(Size::contacts(CONTACTS), Temper::Unlimited { record_bytes: None })?;
    let database = surroundings.fresh_database("webhooks").await?;
    Daemon::run(surroundings, &database, &near, &["sync", "contacts"]).await?;
    drop(near);
    let far = Simulator::start(Size::contacts(CONTACTS), Temper::Limited { latency_ms: LATENCY_MS })?;
    let settings = [
        ("HUBSPOT_WEBHOOK_SECRET", SECRET),
        ("SYNC_INTERVAL_MINUTES", "1440"),
        ("AUDIT_INTERVAL_HOURS", "0"),
        ("ASSOCIATION_MAX_AGE_HOURS", "0"),
    ];
    let _daemon = Daemon::start_with(surroundings, &database, &far, &["run"], &settings)?;
    let first_run =
        "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND finished_at IS NOT NULL";
    wait_for("the first run of the daemon", LOOK, async || {
        Ok((database.count(first_run).await? > 1).then_some(()))
    })
    .await?;
    let lifecycle = Lifecycle::default();
    let url = receive(&database, &lifecycle).await?;
    far.tell(json!({ "targetUrl": url, "secret": SECRET })).await?;
    let single = change_singly(&database, &far).await?;
    let (elapsed, requests) = storm(&database, &far).await?;
    lifecycle.stop().await;
    let alone = format!(
        "a change in HubSpot, told at once, until it is in its row, {LATENCY_MS} ms latency, {SINGLE} changes"
    );
    let many = format!(
        "{} events of {} contacts at once, {LIMIT} requests/10 s, {LATENCY_MS} ms latency, until none waits",
        STORM.0, STORM.1
    );
    let figure =
        |what, measured, goal, unit, how: &str| Figure { what, measured, goal, unit, how: how.to_owned() };
    Ok(vec![
        figure("One change by webhook, median", quantile(&single, 0.5), Goal::None, "s", &alone),
        figure("One change by webhook, 99 of 100", quantile(&single, 0.99), Goal::AtMost(1.0), "s", &alone),
        figure("10,000 events", elapsed, Goal::AtMost(60.0), "s", &many),
        figure("10,000 events, requests", requests, Goal::None, "", &many),
    ])
}

/// Serves a receiver in this process; returns its address.
async fn receive(database: &Database, lifecycle: &Lifecycle) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let pairs = [
        ("HUBSPOT_ACCESS_TOKEN", "sim-token"),
        ("DATABASE_URL", &database.url),
        ("HUBSPOT_WEBHOOK_SECRET", SECRET),
        ("PUBLIC_URL", &base),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::read(Environment::from_pairs(pairs))?;
    let pool = pool(&config.database)?;
    let receiver =
        Receiver::new(config.webhooks, config.sync.objects, pool, lifecycle.clone(), Situation::default());
    let (serve, stop) = (axum::serve(listener, router(Arc::new(receiver))), lifecycle.shutdown().clone());
    lifecycle.spawn(async move { serve.with_graceful_shutdown(stop.cancelled_owned()).await });
    Ok(format!("{base}{PATH}"))
}

/// The receiver's connections.
fn pool(config: &DatabaseConfig) -> anyhow::Result<storage::Database> {
    Ok(storage::Database::new(config)?)
}

/// Changes one contact after the other; returns how many seconds each change took into its row, by the times both have
/// noted: they share a clock.
async fn change_singly(database: &Database, simulator: &Simulator) -> anyhow::Result<Vec<f64>> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let ids: Vec<i64> = sqlx::query_scalar("SELECT hubspot_id FROM hubspot_contacts ORDER BY id LIMIT ?")
        .bind(SINGLE as i64)
        .fetch_all(&database.sql)
        .await?;
    let mut seconds = Vec::with_capacity(SINGLE);
    for id in ids {
        tokio::time::sleep(PAUSE.mul_f64(random.random())).await;
        simulator.edit_contact(id, json!({ "city": "Singled Out", "jobtitle": "Optician" })).await?;
        let took = wait_for("a change to arrive", LOOK, async || {
            let sql = "SELECT TIMESTAMPDIFF(MICROSECOND, hubspot_updated_at, last_synced_at) FROM hubspot_contacts \
                       WHERE hubspot_id = ? AND city = 'Singled Out'";
            Ok(sqlx::query_scalar::<_, i64>(sql).bind(id).fetch_optional(&database.sql).await?)
        })
        .await?;
        seconds.push(took as f64 / 1e6);
    }
    Ok(seconds)
}

/// Lets a storm come; returns the seconds until no event waits any more, and the requests it took.
async fn storm(database: &Database, simulator: &Simulator) -> anyhow::Result<(f64, f64)> {
    let done = "SELECT CAST(COALESCE(SUM(total), 0) AS SIGNED) FROM webhook_counts WHERE name = 'read'";
    let (read, requests) = (database.count(done).await?, stat(&simulator.stats().await?, "requests"));
    let started = Instant::now();
    simulator.storm(STORM.0, STORM.1).await?;
    wait_for("the storm to end", LOOK, async || {
        Ok((database.count(done).await? >= read + STORM.0 as i64).then_some(()))
    })
    .await?;
    let elapsed = started.elapsed().as_secs_f64();
    Ok((elapsed, (stat(&simulator.stats().await?, "requests") - requests) as f64))
}
