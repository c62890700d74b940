//! The queue: several workers, edits at any moment, people who leave their transactions open.

use std::collections::BTreeSet;
use std::slice::from_ref;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use hubspot_mariadb_connector::storage::{
    Chosen, Database, Job, JobKind, Settled, StorageError, claim_jobs, dead_jobs, enqueue_jobs, finish_job,
    give_back_jobs, held_jobs, next_due, park_job, postpone_jobs, queue_figures, renew_jobs, repeat_job,
    rescue_jobs, retry_job, revive_jobs,
};
use sqlx::{Connection, Executor, MySqlConnection};

use crate::support::database::TestDatabase;

/// A lease nothing in a test outlives.
const LEASE: Duration = Duration::from_mins(1);
/// Tries before a rescued job is dead.
const TRIES: u32 = 5;
/// No job.
const NONE: [i64; 0] = [];
/// How a job is, without its times.
const COLUMNS: [&str; 7] =
    ["record_id", "state", "generation", "attempts", "locked_by", "last_error", "waiting"];

/// Puts pushes of contacts.
async fn enqueue(test: &TestDatabase, record_ids: impl IntoIterator<Item = i64>) {
    let record_ids: Vec<_> = record_ids.into_iter().collect();
    let mut connection = test.sql.acquire().await.unwrap();
    enqueue_jobs(&mut connection, "contacts", JobKind::Push, &record_ids).await.unwrap();
}

/// Claims pushes of contacts.
async fn claim(database: &Database, worker: &str, limit: u32) -> Vec<Job> {
    claim_jobs(database, worker, "contacts", JobKind::Push, limit, LEASE).await.unwrap()
}

/// The records of jobs.
fn records(jobs: &[Job]) -> Vec<i64> {
    jobs.iter().map(|job| job.record_id).collect()
}

/// Settles a job in a transaction of its own.
async fn settle(
    test: &TestDatabase,
    work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<Settled, StorageError>,
) -> Settled {
    let mut connection = test.sql.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let settled = work(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    settled
}

/// Every job.
async fn jobs(test: &TestDatabase) -> Vec<String> {
    test.rows("jobs", &COLUMNS, "ORDER BY record_id").await
}

/// The database's time.
async fn now(test: &TestDatabase) -> DateTime<Utc> {
    sqlx::query_scalar("SELECT UTC_TIMESTAMP(3)").fetch_one(&test.sql).await.unwrap()
}

#[tokio::test]
async fn workers_who_claim_at_once_share_the_jobs_and_leave_none() {
    for workers in [2, 4] {
        let test = TestDatabase::migrated().await;
        enqueue(&test, 1..=199).await;
        let work = async |worker: usize| {
            let mut claimed = Vec::new();
            loop {
                let some = claim(&test.database, &format!("worker {worker}"), 5).await;
                assert!(some.len() <= 5);
                if some.is_empty() {
                    return claimed;
                }
                for job in &some {
                    assert_eq!(settle(&test, async |own| finish_job(own, job).await).await, Settled::AsAsked);
                }
                claimed.extend(records(&some));
            }
        };
        let shares = join_all((0..workers).map(work)).await;
        assert!(shares.iter().all(|share| !share.is_empty()), "each worker got some: {shares:?}");
        let all: Vec<_> = shares.concat();
        assert_eq!(all.len(), 199, "nothing was claimed twice");
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), (1..=199).collect());
        assert_eq!(jobs(&test).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn jobs_are_claimed_by_type_and_kind_in_the_order_they_became_due() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [30, 10, 20]).await;
    test.execute("UPDATE jobs SET run_at = run_at - INTERVAL 1 MINUTE WHERE record_id = 20").await;
    test.execute("UPDATE jobs SET run_at = run_at + INTERVAL 1 HOUR WHERE record_id = 30").await;
    let mut connection = test.sql.acquire().await.unwrap();
    enqueue_jobs(&mut connection, "contacts", JobKind::Deleted, &[10]).await.unwrap();
    enqueue_jobs(&mut connection, "companies", JobKind::Push, &[10]).await.unwrap();

    let claimed = claim(&test.database, "worker", 10).await;

    assert_eq!(records(&claimed), [20, 10], "30 is not due yet");
    assert!(claimed.iter().all(|job| (job.generation, job.attempts) == (1, 1)), "{claimed:?}");
    let deleted =
        claim_jobs(&test.database, "worker", "contacts", JobKind::Deleted, 10, LEASE).await.unwrap();
    assert_eq!((records(&deleted), deleted[0].kind), (vec![10], JobKind::Deleted));
    let companies =
        claim_jobs(&test.database, "worker", "companies", JobKind::Push, 10, LEASE).await.unwrap();
    assert_eq!((records(&companies), companies[0].object_type.as_str()), (vec![10], "companies"));
}

#[tokio::test]
async fn many_edits_are_one_job_with_all_its_tries() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [7, 7]).await;
    let job = claim(&test.database, "worker", 1).await.remove(0);
    assert_eq!(job.generation, 2);
    let later = now(&test).await + TimeDelta::hours(1);
    settle(&test, async |own| retry_job(own, &job, "busy", later).await).await;
    assert_eq!(jobs(&test).await, ["7|ready|2|1|-|busy|-"]);
    assert_eq!(claim(&test.database, "worker", 1).await, [], "it is not due");

    enqueue(&test, [7]).await;

    assert_eq!(jobs(&test).await, ["7|ready|3|0|-|-|-"], "an edit is not held up by what went before");
    let job = claim(&test.database, "worker", 1).await.remove(0);
    settle(&test, async |own| park_job(own, &job, "refused").await).await;
    assert_eq!(jobs(&test).await, ["7|dead|3|1|-|refused|-"]);
    enqueue(&test, [7]).await;
    assert_eq!(jobs(&test).await, ["7|ready|4|0|-|-|-"], "nor by a refusal");
}

#[tokio::test]
async fn an_edit_during_a_run_is_not_lost_however_the_run_ends() {
    let test = TestDatabase::migrated().await;
    let later = now(&test).await + TimeDelta::hours(1);
    for end in ["finish", "retry", "park"] {
        enqueue(&test, [7]).await;
        let job = claim(&test.database, "worker", 1).await.remove(0);
        enqueue(&test, [7]).await;
        assert_eq!(claim(&test.database, "other", 1).await, [], "one worker a record");

        let settled = settle(&test, async |own| match end {
            "finish" => finish_job(own, &job).await,
            "retry" => retry_job(own, &job, "busy", later).await,
            _ => park_job(own, &job, "refused").await,
        });

        assert_eq!(settled.await, Settled::EditedSince, "{end}");
        assert_eq!(jobs(&test).await, ["7|ready|2|0|-|-|-"], "{end}");
        let again = claim(&test.database, "worker", 1).await.remove(0);
        assert_eq!(settle(&test, async |own| finish_job(own, &again).await).await, Settled::AsAsked);
        assert_eq!(jobs(&test).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_worker_that_comes_late_cannot_settle_the_job_of_another() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [7]).await;
    let late = claim(&test.database, "worker", 1).await.remove(0);
    test.execute("UPDATE jobs SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND").await;
    assert_eq!(rescue_jobs(&test.database, None, TRIES).await.unwrap().returned, 1);
    // An edit sets the tries to 0, so both claims are the first try of the same process.
    enqueue(&test, [7]).await;
    let present = claim(&test.database, "worker", 1).await.remove(0);
    assert_eq!((late.id, late.attempts), (present.id, present.attempts));

    let later = now(&test).await;
    for end in ["finish", "retry", "park"] {
        let settled = settle(&test, async |own| match end {
            "finish" => finish_job(own, &late).await,
            "retry" => retry_job(own, &late, "busy", later).await,
            _ => park_job(own, &late, "refused").await,
        });
        assert_eq!(settled.await, Settled::Lost, "{end}");
    }
    assert_eq!(give_back_jobs(&test.database, from_ref(&late)).await.unwrap(), NONE);
    assert_eq!(postpone_jobs(&test.database, from_ref(&late), later, "off").await.unwrap(), NONE);
    assert_eq!(renew_jobs(&test.database, from_ref(&late), LEASE).await.unwrap(), [late.id]);
    assert_eq!(jobs(&test).await, ["7|running|2|1|worker|-|-"], "nothing of that changed it");
    assert_eq!(settle(&test, async |own| finish_job(own, &present).await).await, Settled::AsAsked);
    assert_eq!(settle(&test, async |own| finish_job(own, &present).await).await, Settled::Lost, "it is done");
}

#[tokio::test]
async fn what_is_settled_in_a_transaction_goes_with_it() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [7]).await;
    let job = claim(&test.database, "worker", 1).await.remove(0);
    let lease = test.lease().await;
    let mut page = lease.begin(&test.database).await.unwrap();
    assert_eq!(finish_job(&mut page, &job).await.unwrap(), Settled::AsAsked);
    drop(page);
    assert_eq!(jobs(&test).await, ["7|running|1|1|worker|-|-"]);
    let mut page = lease.begin(&test.database).await.unwrap();
    finish_job(&mut page, &job).await.unwrap();
    page.commit().await.unwrap();
    assert_eq!(jobs(&test).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_jobs_of_a_worker_that_is_gone_come_back_until_they_have_had_all_their_tries() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [1, 2]).await;
    for attempt in 1..=2 {
        assert_eq!(records(&claim(&test.database, "worker", 1).await), [1], "try {attempt}");
        assert_eq!(rescue_jobs(&test.database, None, 2).await.unwrap().returned, 0, "its lease is not over");
        test.execute(
            "UPDATE jobs SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE state = 'running'",
        )
        .await;
        // The other one became due before the rescue, but is not what this is about.
        test.execute("UPDATE jobs SET run_at = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR WHERE record_id = 2").await;
        let rescued = rescue_jobs(&test.database, None, 2).await.unwrap();
        let parked: Vec<_> = rescued.parked.iter().map(|job| job.record_id).collect();
        assert_eq!((rescued.returned, parked), if attempt == 1 { (1, vec![]) } else { (0, vec![1]) });
    }
    let lost = "lost with the process that worked on it, worker";
    assert_eq!(jobs(&test).await, [format!("1|dead|1|2|-|{lost}|-"), "2|ready|1|0|-|-|-".to_owned()]);
}

#[tokio::test]
async fn where_one_worker_alone_may_work_the_jobs_of_all_others_come_back_at_once() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [1, 2]).await;
    let killed = claim(&test.database, "killed", 1).await.remove(0);
    let own = claim(&test.database, "only", 1).await.remove(0);
    assert_eq!((killed.record_id, killed.was_tried()), (1, false));
    assert_eq!(rescue_jobs(&test.database, None, TRIES).await.unwrap().returned, 0, "both may live");
    assert_eq!(rescue_jobs(&test.database, Some("only"), TRIES).await.unwrap().returned, 1);
    let again = claim(&test.database, "only", 2).await.remove(0);
    assert_eq!((again.record_id, again.was_tried()), (1, true));
    assert_eq!(renew_jobs(&test.database, &[own, again, killed], LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_of_which_there_is_more_to_do_is_due_again_with_all_its_tries() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [7]).await;
    for round in 1..=TRIES + 1 {
        let job = claim(&test.database, "worker", 1).await.remove(0);
        assert_eq!((job.attempts, job.was_tried()), (1, round > 1), "round {round}");
        assert_eq!(settle(&test, async |own| repeat_job(own, &job).await).await, Settled::AsAsked);
        assert_eq!(jobs(&test).await, ["7|ready|1|0|-|-|-"]);
    }
}

#[tokio::test]
async fn a_renewed_lease_keeps_the_job_from_being_rescued() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [1, 2]).await;
    let claimed = claim(&test.database, "worker", 2).await;
    test.execute("UPDATE jobs SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND").await;
    assert_eq!(renew_jobs(&test.database, &claimed[..1], LEASE).await.unwrap(), Vec::<i64>::new());
    assert_eq!(rescue_jobs(&test.database, None, TRIES).await.unwrap().returned, 1);
    assert_eq!(renew_jobs(&test.database, &claimed, LEASE).await.unwrap(), [claimed[1].id]);
}

#[tokio::test]
async fn a_job_that_was_given_back_or_put_off_has_lost_no_try() {
    let test = TestDatabase::migrated().await;
    enqueue(&test, [1, 2]).await;
    let claimed = claim(&test.database, "worker", 2).await;
    let until = now(&test).await + TimeDelta::hours(1);

    assert_eq!(give_back_jobs(&test.database, &claimed[..1]).await.unwrap(), [claimed[0].id]);
    let put_off = postpone_jobs(&test.database, &claimed[1..], until, "pushing is off").await;
    assert_eq!(put_off.unwrap(), [claimed[1].id]);

    assert_eq!(jobs(&test).await, ["1|ready|1|0|-|-|-", "2|ready|1|0|-|-|pushing is off"]);
    assert_eq!(records(&claim(&test.database, "worker", 2).await), [1]);
    assert_eq!(next_due(&test.database).await.unwrap(), Some(until));
}

#[tokio::test]
async fn dead_and_waiting_jobs_are_counted_listed_and_revived() {
    let test = TestDatabase::migrated().await;
    assert_eq!(next_due(&test.database).await.unwrap(), None);
    assert_eq!(queue_figures(&test.database).await.unwrap(), []);
    enqueue(&test, 1..=6).await;
    test.execute("UPDATE jobs SET created_at = created_at - INTERVAL 1 HOUR WHERE record_id IN (1, 4)").await;
    let claimed = claim(&test.database, "worker", 5).await;
    let until = now(&test).await + TimeDelta::hours(1);
    for job in &claimed[..2] {
        settle(&test, async |own| park_job(own, job, "refused").await).await;
    }
    postpone_jobs(&test.database, &claimed[2..3], until, "a brake").await.unwrap();
    settle(&test, async |own| retry_job(own, &claimed[3], "busy", until).await).await;

    let figures = queue_figures(&test.database).await.unwrap();
    let [contacts] = figures.as_slice() else { panic!("{figures:?}") };
    assert_eq!((contacts.ready, contacts.running, contacts.waiting, contacts.dead), (2, 1, 1, 2));
    let oldest = contacts.oldest_seconds.unwrap();
    assert!((3600..3720).contains(&oldest), "{oldest} s: job 4; job 1 is dead");
    let dead = dead_jobs(&test.database, 0, 10).await.unwrap();
    assert_eq!(dead.iter().map(|job| job.record_id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(dead[0].last_error.as_deref(), Some("refused"));
    assert_eq!(dead_jobs(&test.database, dead[0].id, 10).await.unwrap(), dead[1..]);
    assert_eq!(dead_jobs(&test.database, 0, 1).await.unwrap(), dead[..1]);
    let held = held_jobs(&test.database, 0, 10).await.unwrap();
    let words: Vec<_> = held.iter().map(|job| (job.record_id, job.waiting.is_some(), job.run_at)).collect();
    assert_eq!(words, [(3, true, until), (4, false, until)]);

    let running = claimed[4].id;
    let some = [dead[1].id, held[0].id, running, 4711];
    assert_eq!(revive_jobs(&test.database, Chosen::Ids(&some)).await.unwrap(), 2);
    assert_eq!(revive_jobs(&test.database, Chosen::All).await.unwrap(), 2);
    assert_eq!(revive_jobs(&test.database, Chosen::All).await.unwrap(), 0);
    let ready: Vec<_> = [1, 2, 3, 4].map(|id| format!("{id}|ready|1|0|-|-|-")).into();
    assert_eq!(jobs(&test).await[..4], ready);
    assert_eq!(jobs(&test).await[4..], ["5|running|1|1|worker|-|-", "6|ready|1|0|-|-|-"]);
}

/// Sessions of editors, who may have chosen any isolation level.
const ISOLATIONS: [&str; 2] = ["REPEATABLE READ", "READ COMMITTED"];

/// A connection that edits, like that of a SQL client with its default settings but a short patience.
async fn editor(test: &TestDatabase, isolation: &str) -> MySqlConnection {
    let mut connection = MySqlConnection::connect(&test.url).await.unwrap();
    let settings = format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL {isolation}; SET SESSION innodb_lock_wait_timeout = 1"
    );
    for setting in settings.split("; ") {
        connection.execute(sqlx::AssertSqlSafe(setting.to_owned())).await.unwrap();
    }
    connection
}

#[tokio::test]
async fn an_edit_in_an_open_transaction_holds_up_nobody_else() {
    for isolation in ISOLATIONS {
        let test = TestDatabase::migrated().await;
        enqueue(&test, [10, 20, 30, 40, 50, 60]).await;
        // 10 has just been done, 20 is dead, 30 is under way; 60 is another worker's.
        let claimed = claim(&test.database, "worker", 3).await;
        settle(&test, async |own| finish_job(own, &claimed[0]).await).await;
        settle(&test, async |own| park_job(own, &claimed[1], "refused").await).await;
        test.execute("UPDATE jobs SET run_at = run_at - INTERVAL 1 SECOND WHERE record_id = 60").await;
        let other = claim(&test.database, "other", 1).await;
        assert_eq!(records(&other), [60]);

        let (mut ann, mut bob) = (editor(&test, isolation).await, editor(&test, isolation).await);
        let mut open = ann.begin().await.unwrap();
        // Each kind of job there is: done, dead, under way, ready, ready and edited twice, new.
        let edited = [10, 20, 30, 40, 40, 5];
        for record in edited {
            enqueue_jobs(&mut open, "contacts", JobKind::Push, &[record]).await.unwrap();
        }

        // The neighbours of all of them, from both sides, and those that had a job.
        let neighbours: Vec<_> = [4, 6, 9, 11, 19, 21, 29, 31, 39, 41, 49, 50, 51, 60].into();
        let mut transaction = bob.begin().await.unwrap();
        enqueue_jobs(&mut transaction, "contacts", JobKind::Push, &neighbours).await.unwrap();
        enqueue_jobs(&mut transaction, "contacts", JobKind::Deleted, &[10]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(rescue_jobs(&test.database, None, TRIES).await.unwrap().returned, 0);
        assert_eq!(renew_jobs(&test.database, &claimed[2..], LEASE).await.unwrap(), Vec::<i64>::new());
        assert_eq!(give_back_jobs(&test.database, &claimed[2..]).await.unwrap(), NONE, "the editor has it");
        assert_eq!(revive_jobs(&test.database, Chosen::All).await.unwrap(), 0, "20 is being edited");
        let free = claim(&test.database, "worker", 50).await;
        let expected: BTreeSet<_> = neighbours.iter().copied().filter(|record| *record != 60).collect();
        assert_eq!(records(&free).into_iter().collect::<BTreeSet<_>>(), expected);
        for job in &free {
            assert_eq!(settle(&test, async |own| finish_job(own, job).await).await, Settled::AsAsked);
        }
        assert_eq!(settle(&test, async |own| finish_job(own, &other[0]).await).await, Settled::EditedSince);

        open.commit().await.unwrap();
        let left = claim(&test.database, "worker", 50).await;
        assert_eq!(records(&left).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([5, 10, 20, 40, 60]));
        assert_eq!(settle(&test, async |own| finish_job(own, &claimed[2]).await).await, Settled::EditedSince);
    }
}

#[tokio::test]
async fn the_times_of_a_job_do_not_depend_on_the_time_zone_of_the_editor() {
    let test = TestDatabase::migrated().await;
    let mut far = editor(&test, ISOLATIONS[0]).await;
    far.execute("SET SESSION time_zone = '+09:00'").await.unwrap();
    for _ in 0..2 {
        enqueue_jobs(&mut far, "contacts", JobKind::Push, &[1]).await.unwrap();
        let ahead = "SELECT COUNT(*) FROM jobs WHERE run_at > UTC_TIMESTAMP(3) \
                     OR created_at > UTC_TIMESTAMP(3) OR updated_at > UTC_TIMESTAMP(3)";
        assert_eq!(test.number(ahead).await, 0);
    }
}

#[tokio::test]
async fn workers_and_editors_at_once_lose_no_edit_and_never_deadlock() {
    let test = TestDatabase::migrated().await;
    let edits = async |seed: i64| {
        let mut editor = editor(&test, ISOLATIONS[usize::from(seed % 2 == 0)]).await;
        for edit in 0..60 {
            let mut transaction = editor.begin().await.unwrap();
            // Ascending, as two editors who lock the same rows the other way round deadlock on the rows.
            for record in [edit % 5, 10 + (edit * seed) % 7] {
                enqueue_jobs(&mut transaction, "contacts", JobKind::Push, &[record]).await.unwrap();
                sqlx::query("INSERT INTO edits VALUES (?, 1) ON DUPLICATE KEY UPDATE edits = edits + 1")
                    .bind(record)
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
            }
            transaction.commit().await.unwrap();
        }
    };
    // What a push would have sent: the number of edits as read after the claim.
    let work = async |worker: usize| {
        let mut idle = 0;
        while idle < 50 {
            let jobs = claim(&test.database, &format!("worker {worker}"), 3).await;
            idle = if jobs.is_empty() { idle + 1 } else { 0 };
            for job in jobs {
                let read = format!("SELECT edits FROM edits WHERE record = {}", job.record_id);
                let read = test.number(&read).await;
                let sent = format!(
                    "INSERT INTO sent VALUES ({}, {read}) ON DUPLICATE KEY UPDATE edits = {read}",
                    job.record_id
                );
                settle(&test, async |own| {
                    own.execute(sqlx::AssertSqlSafe(sent)).await.unwrap();
                    finish_job(own, &job).await
                })
                .await;
            }
            rescue_jobs(&test.database, None, TRIES).await.unwrap();
            revive_jobs(&test.database, Chosen::All).await.unwrap();
        }
    };
    test.execute("CREATE TABLE edits (record BIGINT PRIMARY KEY, edits BIGINT)").await;
    test.execute("CREATE TABLE sent (record BIGINT PRIMARY KEY, edits BIGINT)").await;
    tokio::join!(join_all([1, 2, 3].map(edits)), join_all([1, 2].map(work)));
    work(3).await;
    assert_eq!(jobs(&test).await, Vec::<String>::new());
    let unsent = test.rows(
        "edits LEFT JOIN sent USING (record)",
        &["record", "sent.edits"],
        "WHERE NOT edits.edits <=> sent.edits",
    );
    assert_eq!(unsent.await, Vec::<String>::new());
    assert_eq!(test.number("SELECT SUM(edits) FROM edits").await, 360);
}
