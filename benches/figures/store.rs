//! The store path alone: groups of generated contacts into MariaDB through the lease transaction, over one connection.

use std::fs;
use std::time::Instant;

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use hubspot_mariadb_connector::config::{Config, Environment};
use hubspot_mariadb_connector::model::{ObjectId, ObjectType, Properties, Record};
use hubspot_mariadb_connector::storage::{
    Database, Lease, LeaseKeeper, MirrorTable, PageOutcome, StoredPage, ensure_capture, load_mirror_table,
    migrate, store_records,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::Executor;

use super::report::{Figure, Goal, median};
use super::surroundings::Surroundings;

/// Records a round stores.
const RECORDS: usize = 20_000;
/// Records a transaction stores: what a listing puts together while the database is the slower side.
const GROUP: usize = 200;
/// Rounds; each begins with an empty table.
const ROUNDS: u64 = 3;
/// Rounds of the shares, which are small differences of large figures.
const SHARES: u64 = 4;
/// Set properties of a record.
const PROPERTIES: usize = 151;
/// Length of a record's properties as JSON, in bytes.
const JSON_BYTES: usize = 3_971;
/// Ticks of `/proc/self/stat` in a second. Source: proc(5), `USER_HZ`, 100 on every Linux platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// What storing all records once took.
struct Pass {
    /// Rows per second.
    rate: f64,
    /// Processor time of this process, in microseconds per row.
    cpu: f64,
}

/// How fast a writable table takes rows, as a share of how fast the same table does that is not.
struct Share {
    /// Rows that are not there yet.
    new: f64,
    /// Rows that are.
    changed: f64,
}

/// The mirror to write into.
struct Mirror {
    database: Database,
    table: MirrorTable,
    lease: Lease,
}

/// Stores new, unchanged and changed records.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let fresh = surroundings.fresh_database("store").await?;
    let mirror = Mirror::open(&fresh.url).await?;
    let (mut new, mut unchanged, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        fresh.sql.execute("TRUNCATE TABLE hubspot_contacts").await?;
        let mut records = generate(round);
        let all = records.len() as u64;
        new.push(mirror.store(&records, PageOutcome { inserted: all, ..PageOutcome::default() }).await?);
        unchanged
            .push(mirror.store(&records, PageOutcome { unchanged: all, ..PageOutcome::default() }).await?);
        records.iter_mut().for_each(edit);
        changed.push(mirror.store(&records, PageOutcome { updated: all, ..PageOutcome::default() }).await?);
    }
    let how = format!(
        "store_records in lease transactions of {GROUP}, {RECORDS} rows of {PROPERTIES} properties and \
         {JSON_BYTES} bytes of JSON, one connection, median of {ROUNDS}"
    );
    let rate = |passes: &[Pass]| median(passes.iter().map(|pass| pass.rate));
    let figure = |what, measured, goal, unit| Figure { what, measured, goal, unit, how: how.clone() };
    let cpu = median(changed.iter().map(|pass| pass.cpu));
    let share = share(surroundings).await?;
    let both = format!(
        "time of such a transaction without the triggers that capture edits, as a share of that with them; medians of {}, \
         in turns",
        SHARES as usize * RECORDS / GROUP
    );
    let shared =
        |what, measured| Figure { what, measured, goal: Goal::AtLeast(0.95), unit: "", how: both.clone() };
    Ok(vec![
        figure("Store path, new rows", rate(&new), Goal::AtLeast(15_000.0), "rows/s"),
        figure("Store path, changed rows", rate(&changed), Goal::AtLeast(8_000.0), "rows/s"),
        figure("Store path, unchanged rows", rate(&unchanged), Goal::AtLeast(100_000.0), "rows/s"),
        figure("Client CPU per changed row", cpu, Goal::AtMost(40.0), "µs"),
        shared("New rows of a writable table, as a share", share.new),
        shared("Changed rows of a writable table, as a share", share.changed),
    ])
}

impl Mirror {
    /// Creates the schema and takes the lease.
    async fn open(url: &str) -> anyhow::Result<Self> {
        let pairs = [("DATABASE_URL".to_owned(), url.to_owned())];
        let (config, _) = Config::read_without_hubspot(Environment::from_pairs(pairs))?;
        let database = Database::new(&config)?;
        let contacts = ObjectType::named("contacts").context("contacts are a known type")?;
        migrate(&database, &[contacts]).await?;
        let table = load_mirror_table(&database, contacts).await?;
        let keeper = LeaseKeeper::new(database.clone(), "benchmark".to_owned());
        let lease = keeper.acquire("account").await?.context("nobody else has the lease")?;
        Ok(Self { database, table, lease })
    }

    /// Stores all records group by group and makes sure that what was to happen did.
    async fn store(&self, records: &[Record], expected: PageOutcome) -> anyhow::Result<Pass> {
        let (started, cpu) = (Instant::now(), processor_seconds()?);
        let mut total = PageOutcome::default();
        for group in records.chunks(GROUP) {
            let outcome = self.store_group(group).await?;
            total.inserted += outcome.inserted;
            total.updated += outcome.updated;
            total.unchanged += outcome.unchanged;
        }
        let (elapsed, cpu) = (started.elapsed().as_secs_f64(), processor_seconds()? - cpu);
        ensure!(total == expected, "stored {total:?} instead of {expected:?}");
        let rows = records.len() as f64;
        Ok(Pass { rate: rows / elapsed, cpu: cpu * 1e6 / rows })
    }

    /// Stores a group in a transaction of its own.
    async fn store_group(&self, group: &[Record]) -> anyhow::Result<PageOutcome> {
        let mut transaction = self.lease.begin(&self.database).await?;
        let StoredPage { outcome, .. } = store_records(&mut transaction, &self.table, group, &[]).await?;
        transaction.commit().await?;
        Ok(outcome)
    }
}

/// How fast a writable table takes rows, as a share of how fast one does that is not.
///
/// Both take the same groups in turns, and the groups' medians are compared: what the server does beside, and what else the
/// machine does, meets both alike. Whole passes one after the other differ by more than what is measured.
async fn share(surroundings: &Surroundings) -> anyhow::Result<Share> {
    let fresh = [surroundings.fresh_database("plain").await?, surroundings.fresh_database("writable").await?];
    let mirrors = [Mirror::open(&fresh[0].url).await?, Mirror::open(&fresh[1].url).await?];
    ensure_capture(&mirrors[1].database, &mirrors[1].table, true).await?;
    let (mut new, mut changed) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for round in 0..SHARES {
        for database in &fresh {
            database.sql.execute("TRUNCATE TABLE hubspot_contacts").await?;
        }
        let mut records = generate(round);
        take_turns(&mirrors, &records, |outcome| outcome.inserted, &mut new).await?;
        records.iter_mut().for_each(edit);
        take_turns(&mirrors, &records, |outcome| outcome.updated, &mut changed).await?;
    }
    let share = |[plain, writable]: [Vec<f64>; 2]| median(plain) / median(writable);
    Ok(Share { new: share(new), changed: share(changed) })
}

/// Stores the records into both mirrors, group by group, each first by turns, and notes the seconds each group took.
async fn take_turns(
    mirrors: &[Mirror; 2],
    records: &[Record],
    stored: fn(PageOutcome) -> u64,
    seconds: &mut [Vec<f64>; 2],
) -> anyhow::Result<()> {
    for (number, group) in records.chunks(GROUP).enumerate() {
        for which in [number % 2, (number + 1) % 2] {
            let started = Instant::now();
            let outcome = mirrors[which].store_group(group).await?;
            seconds[which].push(started.elapsed().as_secs_f64());
            ensure!(stored(outcome) == group.len() as u64, "a group was stored as {outcome:?}");
        }
    }
    Ok(())
}

/// Processor time this process has used, user and system, in seconds.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in parentheses; user and system time are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat names the program")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

/// When every record was created.
fn created() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_780_000_000_000).expect("in chrono's range")
}

/// Invented contacts in id order; a seed gives the same ones every time.
fn generate(seed: u64) -> Vec<Record> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (1..=RECORDS as i64).map(|id| contact(ObjectId(100 * id), &mut random)).collect()
}

/// One contact with every default column filled, padded with other properties to the agreed size.
fn contact(id: ObjectId, random: &mut ChaCha8Rng) -> Record {
    let word = |random: &mut ChaCha8Rng, length: usize| -> String {
        (0..length).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
    };
    let mut pairs = vec![
        ("email".to_owned(), format!("{}.{id}@example.test", word(random, 8))),
        ("hubspot_owner_id".to_owned(), random.random_range(1_000..1_050).to_string()),
        ("associatedcompanyid".to_owned(), random.random_range(1..5_000).to_string()),
        ("createdate".to_owned(), "2026-05-28T20:26:40.000Z".to_owned()),
        ("lastmodifieddate".to_owned(), "2026-05-28T20:26:40.000Z".to_owned()),
    ];
    let plain = ["firstname", "lastname", "phone", "mobilephone", "company", "jobtitle", "city", "state"];
    for name in plain.into_iter().chain(["country", "lifecyclestage", "hs_lead_status"]) {
        pairs.push((name.to_owned(), word(random, 9)));
    }
    // What `"name":"value",` takes besides the value, for the names made below.
    let frame = r#""property_000":"","#.len();
    let missing = PROPERTIES - pairs.len();
    let used = Properties::from_iter(pairs.clone()).as_json().len();
    let room = JSON_BYTES - used - missing * frame;
    for index in 0..missing {
        let length = room / missing + usize::from(index < room % missing);
        pairs.push((format!("property_{index:03}"), word(random, length)));
    }
    let properties = Properties::from_iter(pairs);
    debug_assert_eq!(properties.as_json().len(), JSON_BYTES);
    Record {
        id,
        properties,
        created_at: created(),
        updated_at: created(),
        archived: false,
        archived_at: None,
        read_at: DateTime::UNIX_EPOCH,
    }
}

/// An edit as people make it: two values and the time.
fn edit(record: &mut Record) {
    record.updated_at += TimeDelta::minutes(1);
    let edits =
        [("jobtitle", "Head of all"), ("city", "Anywhere"), ("lastmodifieddate", "2026-05-28T20:27:40.000Z")];
    record.properties =
        record.properties.iter().chain(edits.map(|(name, value)| (name.into(), value.into()))).collect();
}
