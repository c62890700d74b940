//! The documents are true: every setting, link, query and command in them exists.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use hubspot_mariadb_connector::config::{Config, Environment, VARIABLES};
use sqlx::Executor;

use crate::deploy::variables::{is_setting, mentioned};
use crate::deploy::{root, succeed, text};
use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::edits::writable_account;
use crate::support::simulator::Simulator;

/// The documents in the root of the repository, each with its name.
fn documents() -> Vec<(String, String)> {
    let files = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 5, "only {names:?} were found, so the search is broken");
    names.into_iter().map(|name| (name.clone(), text(&name))).collect()
}

/// The fenced blocks of a document that are marked with `language`.
fn blocks<'t>(document: &'t str, language: &str) -> Vec<&'t str> {
    // Every second part stands between two fences.
    let fenced = document.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// The inline code of a document, outside of fenced blocks.
fn inline_code(document: &str) -> Vec<&str> {
    let prose = document.split("\n```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// The settings `.env.example` offers: the explanation above each, its name and its value.
fn offered() -> Vec<(String, String, String)> {
    let text = text(".env.example");
    let paragraphs = text.split("\n\n").filter_map(|paragraph| {
        let (explanation, setting) = paragraph.trim_end().rsplit_once("\n#")?;
        let (name, value) = setting.split_once('=')?;
        Some((explanation.to_owned(), name.to_owned(), value.to_owned()))
    });
    paragraphs.collect()
}

#[test]
fn the_table_of_settings_is_the_one_in_the_code() {
    let document = text("DEPLOYMENT.md");
    let (_, table) =
        document.split_once("| Variable | Default | Rule | Meaning |\n| --- | --- | --- | --- |\n").unwrap();
    let rows: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let expected: Vec<_> = VARIABLES
        .iter()
        .map(|variable| {
            let names = match variable.file_name() {
                None => format!("`{}`", variable.name),
                Some(file) => format!("`{}`, `{file}`", variable.name),
            };
            let (default, rule) = match variable.default {
                "" => ("none".to_owned(), format!("{}, for example `{}`", variable.rule, variable.example)),
                default => (format!("`{default}`"), variable.rule.to_owned()),
            };
            format!("| {names} | {default} | {rule} | {} |", variable.meaning)
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn the_example_file_offers_every_setting_with_its_meaning_and_example_and_no_other() {
    let offered = offered();
    assert_eq!(offered.len(), VARIABLES.len(), "{offered:?}");
    for (variable, (explanation, name, value)) in VARIABLES.iter().zip(&offered) {
        assert!(variable.names().contains(name), "{name} stands where {} belongs", variable.name);
        assert!(explanation.contains(variable.meaning), "{name}: {explanation}");
        assert!(explanation.contains(variable.rule), "{name}: {explanation}");
        assert_eq!(value.trim_matches('\''), variable.example, "{name}");
        if let Some(file) = variable.file_name() {
            assert!(explanation.contains(&file), "{name}: {explanation}");
        }
    }
}

#[test]
fn the_example_file_can_be_read_and_is_accepted() {
    let switched_on: Vec<_> = offered()
        .iter()
        // Only one way to name the database at a time, and this example names no real server.
        .filter(|(_, name, _)| name != "DATABASE_URL")
        .map(|(_, name, value)| format!("{name}={value}\n"))
        .collect();
    let file = switched_on.concat();
    let pairs = dotenvy::from_read_iter(file.as_bytes()).map(Result::unwrap);
    let config = Config::read(Environment::from_pairs(pairs)).unwrap();
    assert_eq!(
        config.sync.columns["contacts"],
        ["my_score", "my_region"],
        "the examples of <TYPE> count too"
    );
    assert!(config.sync.schedule.cron.contains_key("deals"));
}

#[test]
fn every_setting_a_document_names_exists() {
    let mut found = 0;
    for (file, document) in documents() {
        for name in mentioned(&document) {
            found += 1;
            assert!(is_setting(name), "{file}: {name}");
        }
    }
    assert!(found > 60, "only {found} names were found, so the search is broken");
}

/// The targets of the Markdown links of a document.
fn links(document: &str) -> Vec<&str> {
    let rest = document.split("](").skip(1);
    rest.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

/// The names by which links reach the headings of a document.
fn anchors(document: &str) -> BTreeSet<String> {
    let prose = document.split("\n```").step_by(2);
    let headings = prose.flat_map(str::lines).filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| heading.chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    let mut found = 0;
    for (file, document) in documents() {
        for link in links(&document).into_iter().filter(|link| !link.contains("://")) {
            found += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.as_str() } else { path };
            let target_path: PathBuf = root().join(target);
            assert!(target_path.exists(), "{file} links to {link}");
            if !anchor.is_empty() {
                let anchors = anchors(&text(target));
                assert!(anchors.contains(anchor), "{file} links to {link}; there is {anchors:?}");
            }
        }
    }
    assert!(found > 20, "only {found} links were found, so the search is broken");
}

/// The commands `hubspot-connector --help` lists.
fn commands() -> BTreeSet<String> {
    let help = succeed(Command::new(env!("CARGO_BIN_EXE_hubspot-connector")).arg("--help"));
    let (_, list) = help.split_once("Commands:\n").unwrap();
    list.lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The commands a document runs: the word behind the program's name in shell blocks, and in inline code that begins
/// with that name. An option or nothing there is no command.
fn commands_in(document: &str) -> Vec<String> {
    let shell =
        blocks(document, "sh").into_iter().flat_map(|block| block.split("hubspot-connector ").skip(1));
    let inline = inline_code(document).into_iter().filter_map(|code| code.strip_prefix("hubspot-connector "));
    shell
        .chain(inline)
        .map(|rest| rest.chars().take_while(char::is_ascii_lowercase).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn every_command_a_document_names_exists() {
    let commands = commands();
    assert!(commands.contains("sync"), "{commands:?}");
    let mut found = 0;
    for (file, document) in documents() {
        for command in commands_in(&document) {
            found += 1;
            assert!(commands.contains(&command), "{file}: hubspot-connector {command}");
        }
    }
    assert!(found > 15, "only {found} commands were found, so the search is broken");
}

#[tokio::test]
async fn every_query_in_a_document_runs() {
    let test = TestDatabase::migrated().await;
    let mut found = 0;
    for (file, document) in documents() {
        for block in blocks(&document, "sql") {
            for statement in block.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                found += 1;
                let result = test.sql.execute(sqlx::AssertSqlSafe(statement.to_owned())).await;
                assert!(result.is_ok(), "{file}: {result:?} in:\n{statement}");
            }
        }
    }
    assert!(found > 10, "only {found} queries were found, so the search is broken");
}

#[tokio::test]
async fn every_edit_in_a_document_is_taken() {
    let (_simulator, test, _setup) = writable_account(3, 3).await;
    let mut found = 0;
    for (file, document) in documents() {
        for block in blocks(&document, "mysql") {
            for statement in block.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                found += 1;
                let result = test.sql.execute(sqlx::AssertSqlSafe(statement.to_owned())).await;
                assert!(result.is_ok(), "{file}: {result:?} in:\n{statement}");
            }
        }
    }
    assert!(found > 3, "only {found} edits were found, so the search is broken");
    let made = "SELECT COUNT(*) FROM jobs WHERE object_type = 'contacts'";
    assert!(test.number(made).await > 0, "the row that is inserted is to be made in HubSpot");
}

/// Verdict and subject of each line `check` prints, and the line on the schema as it is.
fn outline(output: &str) -> Vec<String> {
    let lines = output.lines().map(|line| {
        let length = if line.contains(" schema ") { line.len() } else { CHECK_COLUMNS };
        line.chars().take(length).collect()
    });
    lines.collect()
}

/// How many characters verdict and subject of `check` take.
const CHECK_COLUMNS: usize = 23;

#[tokio::test]
async fn what_check_prints_in_a_document_is_what_it_prints() {
    let simulator = Simulator::start(10, 10, 10);
    for (file, test) in
        [("QUICKSTART.md", TestDatabase::empty().await), ("DEPLOYMENT.md", TestDatabase::migrated().await)]
    {
        let said = Setup::new(&simulator, &test.url).run(&["check"]).await;
        let document = text(file);
        let samples = blocks(&document, "text").into_iter().map(str::trim);
        let mut samples = samples.filter(|block| block.contains("configuration  every variable"));
        let sample = samples.next().unwrap_or_else(|| panic!("{file} shows no check"));
        assert_eq!(outline(sample), outline(&String::from_utf8(said.stdout).unwrap()), "{file}");
    }
}
