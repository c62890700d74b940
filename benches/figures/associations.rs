//! Links between records: what storing them costs, and what reading all of them costs in requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hubspot_mariadb_connector::config::{Config, Environment};
use hubspot_mariadb_connector::model::{
    Association, AssociationType, OBJECT_TYPES, ObjectId, ObjectType, TypePair,
};
use hubspot_mariadb_connector::storage::{
    Database, Lease, LeaseKeeper, Links, PageOutcome, migrate, store_associations,
};
use sqlx::Executor;

use super::daemon::Daemon;
use super::report::{Figure, Goal, median};
use super::simulator::{Simulator, Size, Temper};
use super::surroundings::{self, Surroundings, wait_for};

/// Links the figures are for.
const LINKS: usize = 100_000;
/// Records a page covers, as in the lane.
const PAGE: usize = 1_000;
/// Rounds of storing; each begins with an empty table.
const ROUNDS: usize = 3;
/// The account whose links are read.
const ACCOUNT: Size = Size { contacts: 40_000, companies: 8_000, deals: 10_000 };
/// How often the lanes are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Stores links, and reads those of an account.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let mut figures = store(surroundings).await?;
    figures.extend(read(surroundings).await?);
    Ok(figures)
}

/// Two links for each of so many contacts: one to a company, and that it is the primary one.
fn generate() -> Vec<Association> {
    let kind = |type_id, label: Option<&str>| {
        let (category, label) = ("HUBSPOT_DEFINED".to_owned(), label.map(str::to_owned));
        Arc::new(AssociationType { category, type_id, label })
    };
    let (plain, primary) = (kind(279, None), kind(1, Some("Primary")));
    let link = |number: usize| {
        let record = (number / 2) as i64;
        let kind = if number.is_multiple_of(2) { &primary } else { &plain };
        let (from, to) = (ObjectId(1_000 + 7 * record), ObjectId(1_000 + record % 5_000));
        Association { from, to, kind: Arc::clone(kind) }
    };
    (0..LINKS).map(link).collect()
}

/// Stores new and unchanged links through lease transactions.
async fn store(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let fresh = surroundings.fresh_database("associations").await?;
    let pairs = [("DATABASE_URL".to_owned(), fresh.url.clone())];
    let (config, _) = Config::read_without_hubspot(Environment::from_pairs(pairs))?;
    let database = Database::new(&config)?;
    migrate(&database, &OBJECT_TYPES.iter().collect::<Vec<_>>()).await?;
    let keeper = LeaseKeeper::new(database.clone(), "benchmark".to_owned());
    let lease = keeper.acquire("account").await?.context("nobody else has the lease")?;
    let links = generate();
    let (mut new, mut unchanged) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fresh.sql.execute("TRUNCATE TABLE hubspot_associations").await?;
        let all = links.len() as u64;
        let inserted = PageOutcome { inserted: all, ..PageOutcome::default() };
        new.push(store_all(&database, &lease, &links, inserted).await?);
        let kept = PageOutcome { unchanged: all, ..PageOutcome::default() };
        unchanged.push(store_all(&database, &lease, &links, kept).await?);
    }
    let how = format!(
        "store_associations in lease transactions of {PAGE} records with two links each, one connection, median of \
         {ROUNDS}"
    );
    let figure =
        |what, measured| Figure { what, measured, goal: Goal::None, unit: "links/s", how: how.clone() };
    Ok(vec![figure("Storing links, new", median(new)), figure("Storing links, unchanged", median(unchanged))])
}

/// Stores all links page by page and makes sure that what was to happen did; returns links per second.
async fn store_all(
    database: &Database,
    lease: &Lease,
    links: &[Association],
    expected: PageOutcome,
) -> anyhow::Result<f64> {
    let [contacts, companies] = ["contacts", "companies"].map(ObjectType::named);
    let pair = TypePair::of(contacts.context("a known type")?, companies.context("a known type")?);
    let (started, mut total) = (Instant::now(), PageOutcome::default());
    for associations in links.chunks(2 * PAGE) {
        let mut records: Vec<_> = associations.iter().map(|link| link.from).collect();
        records.dedup();
        let page = Links { pair, records: &records, associations, after: ObjectId::START, until: None };
        let mut transaction = lease.begin(database).await?;
        total = total + store_associations(&mut transaction, &page).await?;
        transaction.commit().await?;
    }
    let elapsed = started.elapsed().as_secs_f64();
    ensure!(total == expected, "stored {total:?} instead of {expected:?}");
    Ok(links.len() as f64 / elapsed)
}

/// Reads all links of an account within the limit of a small one.
async fn read(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::start(ACCOUNT, Temper::Unlimited { record_bytes: None })?;
    let database = surroundings.fresh_database("associations").await?;
    Daemon::run(surroundings, &database, &simulator, &["sync"]).await?;
    let _daemon = Daemon::start(surroundings, &database, &simulator, &["run"])?;
    passes_are_done(&database).await?;
    let links = database.count("SELECT COUNT(*) FROM hubspot_associations").await? as f64;
    let (requests, seconds) =
        (count(&database, REQUESTS).await?, count(&database, MILLISECONDS).await? / 1e3);
    let share = LINKS as f64 / links;
    let how = format!(
        "the associations lane over {} contacts, {} companies, {} deals with {links} links, limit of 100 requests \
         in 10 s",
        ACCOUNT.contacts, ACCOUNT.companies, ACCOUNT.deals
    );
    let figure = |what, measured, unit| Figure { what, measured, goal: Goal::None, unit, how: how.clone() };
    Ok(vec![
        figure("Reading 100,000 links, requests", requests * share, ""),
        figure("Reading 100,000 links", seconds * share, "s"),
    ])
}

/// Requests of the lanes.
const REQUESTS: &str = "SELECT CAST(SUM(requests) AS SIGNED) FROM sync_runs WHERE lane = 'associations'";
/// From the first lane's start to the last one's end.
const MILLISECONDS: &str = "SELECT TIMESTAMPDIFF(MICROSECOND, MIN(started_at), MAX(finished_at)) DIV 1000 FROM sync_runs \
                            WHERE lane = 'associations'";

/// A figure of the runs.
async fn count(database: &surroundings::Database, query: &'static str) -> anyhow::Result<f64> {
    Ok(database.count(query).await? as f64)
}

/// Waits until the links of every type were read.
async fn passes_are_done(database: &surroundings::Database) -> anyhow::Result<()> {
    let sql = "SELECT COUNT(*) FROM sync_lanes WHERE lane = 'associations' AND completed_at IS NOT NULL";
    wait_for("the end of the associations lanes", LOOK, async || {
        Ok((database.count(sql).await? == 3).then_some(()))
    })
    .await
}
