//! Pages of large tables: what is read for one does not grow with the table, whatever is asked for.

use std::collections::BTreeSet;

use hubspot_mariadb_connector::model::ObjectType;
use hubspot_mariadb_connector::storage::{
    MirrorTable, RowFilter, RowOrder, RowPage, RowPlace, RowStart, RowStatus, count_rows, list_rows,
    load_mirror_table, migrate, ordering_columns, searched_columns,
};
use sqlx::Row;

use crate::scripts::PrivateServer;
use crate::support::database::TestDatabase;

/// Rows of a table, half of them of deleted records, which all come first.
const ROWS: u32 = 60_000;
/// Most rows one statement may read for a page, entries of indexes included: those before the page, those it passes over,
/// and once more those that are put in order.
const MOST: i64 = 30_000;
/// Rows of a page.
const LIMIT: u32 = 50;

/// Fills the table of a type: `columns` are the typed ones and their values of row `seq`.
async fn fill(test: &TestDatabase, object_type: &ObjectType, columns: &[(&str, &str)]) {
    let names: Vec<_> = columns.iter().map(|(name, _)| format!("`{name}`")).collect();
    let values: Vec<_> = columns.iter().map(|(_, value)| *value).collect();
    let (names, values) = (names.join(", "), values.join(", "));
    test.execute(&format!(
        "INSERT INTO {table} (hubspot_id, hubspot_updated_at, archived, sync_status, {names}) \
         SELECT seq + 1000, NOW(3) - INTERVAL (seq * 7919) % 5000 SECOND, seq <= {ROWS} / 2, \
         IF(seq % 1000 = 0, 'conflict', 'synced'), {values} FROM seq_1_to_{ROWS}",
        table = object_type.table
    ))
    .await;
    test.execute(&format!("ANALYZE TABLE {}", object_type.table)).await;
}

/// The types with rows.
async fn filled(test: &TestDatabase) -> [MirrorTable; 3] {
    let types = ["contacts", "companies", "deals"].map(|name| ObjectType::named(name).unwrap());
    let many = "CONCAT('m', seq % 7)";
    fill(
        test,
        types[0],
        &[
            ("email", "CONCAT('a', (seq * 7919) % 60000, '@x.test')"),
            ("lastname", "CONCAT('l', seq % 300)"),
            ("firstname", many),
            ("company", "IF(seq % 3 = 0, NULL, 'Mill')"),
            ("phone", "CONCAT('+49 30 ', seq)"),
        ],
    )
    .await;
    fill(test, types[1], &[("name", "CONCAT('n', seq)"), ("domain", "CONCAT(seq % 900, '.test')")]).await;
    let stage = "IF(seq % 5000 = 0, 'rare', 'open')";
    fill(test, types[2], &[("dealname", many), ("pipeline", "'sales'"), ("dealstage", stage)]).await;
    let mut tables = Vec::new();
    for object_type in types {
        tables.push(load_mirror_table(&test.database, object_type).await.unwrap());
    }
    tables.try_into().unwrap()
}

/// Every filter that is accepted for the table, as far as filters differ in how rows are found.
fn filters(table: &MirrorTable) -> Vec<RowFilter> {
    let mut filters = Vec::new();
    let text = |text: &str| Some(text.to_owned());
    for search in ["a12", "l12 m3", "m", "+49 30 5", "n77", "7.test", "1500", "nothing at all"] {
        for archived in [None, Some(true)] {
            filters.push(RowFilter { archived, search: text(search), ..RowFilter::default() });
        }
    }
    for archived in [None, Some(false), Some(true)] {
        for status in [None, Some(RowStatus::Synced), Some(RowStatus::Conflict)] {
            let filter = RowFilter { archived, status, ..RowFilter::default() };
            filters.push(filter.clone());
            if table.object_type().stage_properties().is_none() || archived.is_none() {
                continue;
            }
            for (pipeline, stage) in
                [(Some("sales"), None), (Some("sales"), Some("open")), (None, Some("rare"))]
            {
                let (pipeline, stage) = (pipeline.and_then(text), stage.and_then(text));
                filters.push(RowFilter { pipeline, stage, ..filter.clone() });
            }
        }
    }
    filters
}

/// Pages of a list: the first one, a late one, and one after each of those.
async fn look_at(test: &TestDatabase, table: &MirrorTable, filter: &RowFilter, order: &RowOrder) {
    let page = async |start: RowStart| -> Option<RowPlace> {
        let page = list_rows(&test.database, table, filter, order, (&start, LIMIT)).await.unwrap();
        page.and_then(|page| page.next)
    };
    if let Some(next) = page(RowStart::Offset(0)).await {
        page(RowStart::After(next)).await;
    }
    page(RowStart::Offset(9_950)).await;
}

/// A statement that was carried out, and how many rows it read.
type Logged = (String, i64);

/// Asks for every combination of filter and order, directions in turns, and returns what the server carried out for it.
/// What a search finds is put in order after it is found, the same way for every order.
async fn every_combination(
    server: &PrivateServer,
    test: &TestDatabase,
    tables: &[MirrorTable],
) -> Vec<Logged> {
    let mut turn = false;
    for table in tables {
        for filter in filters(table) {
            count_rows(&test.database, table, &filter).await.unwrap();
            let orders = if filter.search.is_some() { 2 } else { usize::MAX };
            for column in ordering_columns(table).into_iter().take(orders) {
                turn = !turn;
                let order = RowOrder::new(table, column, turn).unwrap();
                if order.needs_archived() && filter.archived.is_none() {
                    continue;
                }
                look_at(test, table, &filter, &order).await;
            }
            turn = !turn;
        }
    }
    let log = server.ask(
        "SELECT CONCAT(MAX(rows_examined), ' ', CONVERT(sql_text USING utf8mb4)) FROM mysql.slow_log \
         WHERE (sql_text LIKE '%FORCE INDEX%' OR sql_text LIKE '%AS found%') AND sql_text LIKE 'SET STATEMENT%' \
         GROUP BY sql_text",
    );
    let logged =
        |line: &str| line.split_once(' ').map(|(rows, text)| (text.to_owned(), rows.parse().unwrap()));
    log.lines().filter_map(logged).collect()
}

/// What is wrong with how the server carries a statement out.
async fn wrong(test: &TestDatabase, statement: &str) -> Option<String> {
    let question = statement.split_once(" FOR ").unwrap().1;
    let explained = format!("EXPLAIN {question}");
    let steps = sqlx::raw_sql(sqlx::AssertSqlSafe(explained)).fetch_all(&test.sql).await.unwrap();
    steps.iter().find_map(|step| {
        let said = |name: &str| step.try_get::<Option<String>, _>(name).unwrap().unwrap_or_default();
        let (table, access, extra) = (said("table"), said("type"), said("Extra"));
        let scans = table.starts_with("hubspot_") && access == "ALL";
        let sorts_all = access == "index" && extra.contains("filesort");
        (scans || sorts_all).then(|| format!("{access} of {table}: {extra}"))
    })
}

#[tokio::test]
async fn no_accepted_list_reads_or_sorts_a_whole_table() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    let tables = filled(&test).await;
    server.ask(
        "SET GLOBAL log_output = 'TABLE'; SET GLOBAL long_query_time = 0; SET GLOBAL slow_query_log = ON",
    );
    let logged = every_combination(&server, &test, &tables).await;
    assert!(logged.len() > 500, "{} statements are in the log", logged.len());
    let greedy: Vec<_> = logged.iter().filter(|(_, examined)| *examined > MOST).collect();
    assert!(greedy.is_empty(), "{greedy:#?}");
    for (statement, _) in &logged {
        assert_eq!(wrong(&test, statement).await, None, "{statement}");
    }
}

#[tokio::test]
async fn following_pages_reaches_every_row_once_also_where_pages_stop_early() {
    let test = TestDatabase::migrated().await;
    let [contacts, ..] = filled(&test).await;
    let live = RowFilter { archived: Some(false), ..RowFilter::default() };
    let synced = RowFilter { status: Some(RowStatus::Synced), ..live.clone() };
    for (filter, column, expected) in
        [(&live, "id", ROWS / 2), (&live, "hubspot_updated_at", ROWS / 2), (&synced, "company", 29_970)]
    {
        let order = RowOrder::new(&contacts, column, column == "company").unwrap();
        let (mut start, mut seen, mut rows, mut short) = (RowStart::Offset(0), BTreeSet::new(), 0, 0);
        loop {
            let page = list_rows(&test.database, &contacts, filter, &order, (&start, 1_000)).await.unwrap();
            let RowPage { rows: found, next } = page.unwrap();
            rows += found.len();
            short += usize::from(next.is_some() && found.len() < 1_000);
            seen.extend(found.iter().map(|row| row.key));
            let Some(next) = next else { break };
            start = RowStart::After(next);
        }
        assert_eq!((rows, seen.len()), (expected as usize, expected as usize), "{column}");
        assert!(short > 0 || column != "id", "the first half of the table is passed over in several pages");
    }
}

#[tokio::test]
async fn numbered_pages_leave_no_row_out_where_much_is_passed_over() {
    let test = TestDatabase::migrated().await;
    let [contacts, ..] = filled(&test).await;
    test.execute("UPDATE hubspot_contacts SET archived = (id % 100 <> 0) WHERE id <= 15000").await;
    let live = RowFilter { archived: Some(false), ..RowFilter::default() };
    let order = RowOrder::new(&contacts, "id", false).unwrap();
    let mut shown = Vec::new();
    for offset in [0, 50, 100, 150] {
        let start = (&RowStart::Offset(offset), 50);
        let page = list_rows(&test.database, &contacts, &live, &order, start).await.unwrap().unwrap();
        shown.extend(page.rows.iter().map(|row| row.key));
    }
    let expected: Vec<i64> = (1..=150).map(|number| number * 100).collect();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn counts_are_exact_up_to_a_bound_and_a_search_that_finds_more_is_told() {
    let test = TestDatabase::migrated().await;
    let [contacts, _, deals] = filled(&test).await;
    let live = RowFilter { archived: Some(false), ..RowFilter::default() };
    let count = async |table: &MirrorTable, filter: RowFilter| {
        let total = count_rows(&test.database, table, &filter).await.unwrap();
        total.map(|total| (total.count, total.is_lower_bound))
    };
    let searching = |text: &str| RowFilter { search: Some(text.to_owned()), ..live.clone() };
    assert_eq!(count(&contacts, live.clone()).await, Some((10_000, true)));
    let conflicts = RowFilter { status: Some(RowStatus::Conflict), ..live.clone() };
    assert_eq!(count(&contacts, conflicts).await, Some((30, false)));
    let rare = RowFilter { stage: Some("rare".to_owned()), ..RowFilter::default() };
    assert_eq!(count(&deals, rare).await, Some((12, false)));
    assert_eq!(count(&contacts, searching("l12")).await, Some((1_100, false)), "l12, l120 to l129");
    assert!(!count(&contacts, searching("L12 M3")).await.unwrap().1);
    assert_eq!(count(&contacts, searching("61000")).await, Some((1, false)), "an id in HubSpot");
    assert_eq!(count(&contacts, searching("mill")).await, None);
}

#[tokio::test]
async fn an_index_somebody_adds_gives_an_order_and_one_that_is_gone_takes_its_away() {
    let test = TestDatabase::migrated().await;
    let contacts = ObjectType::named("contacts").unwrap();
    let table = async || load_mirror_table(&test.database, contacts).await.unwrap();
    assert_eq!(
        ordering_columns(&table().await),
        [
            "id",
            "hubspot_id",
            "hubspot_updated_at",
            "email",
            "firstname",
            "lastname",
            "phone",
            "company",
            "associatedcompanyid",
            "hubspot_owner_id"
        ]
    );
    test.execute(
        "ALTER TABLE hubspot_contacts ADD KEY mine (city), ADD KEY half (jobtitle(10)), DROP KEY by_phone",
    )
    .await;
    let columns = table().await;
    let columns = ordering_columns(&columns);
    assert!(columns.contains(&"city") && !columns.contains(&"jobtitle") && !columns.contains(&"phone"));
    assert_eq!(searched_columns(&table().await), ["email", "firstname", "lastname", "company"]);
    migrate(&test.database, &[contacts]).await.unwrap();
    assert!(searched_columns(&table().await).contains(&"phone"), "the schema is brought up to date");
}
