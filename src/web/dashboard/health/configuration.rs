//! The settings in force, without secrets.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::config::{SecretSource, Setting, Shown};
use crate::web::App;
use crate::web::dashboard::frame::{Frame, Section, page};
use crate::web::error::ApiError;

/// Variables that mean nothing while the database is named in one line.
const REPLACED: [&str; 6] = ["DB_HOST", "DB_PORT", "DB_SOCKET", "DB_USER", "DB_PASSWORD", "DB_NAME"];

/// The page.
#[derive(Template)]
#[template(path = "health_configuration.html")]
struct ConfigurationPage {
    frame: Frame,
    version: &'static str,
    rows: Vec<SettingRow>,
}

/// A setting.
#[derive(Debug, PartialEq, Eq)]
struct SettingRow {
    name: String,
    /// The value in force; empty: there is none.
    value: String,
    /// Where it comes from.
    source: &'static str,
    /// Whether somebody chose it.
    is_chosen: bool,
    meaning: String,
}

/// Shows it.
pub(super) async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(page(&ConfigurationPage {
        frame: Frame::new(&app, Section::Health).await?,
        version: env!("CARGO_PKG_VERSION"),
        rows: rows(&app.config.settings),
    }))
}

/// A sentence without the marks it has for documents.
fn plain(sentence: &str) -> String {
    sentence.replace('`', "")
}

/// The settings as they are shown.
fn rows(settings: &[Setting]) -> Vec<SettingRow> {
    let is_in_one_line = settings
        .iter()
        .any(|setting| setting.name == "DATABASE_URL" && matches!(setting.value, Shown::Secret(_)));
    let row = |setting: &Setting| {
        let (value, source, is_chosen) = match &setting.value {
            _ if is_in_one_line && REPLACED.contains(&setting.name.as_str()) => {
                (String::new(), "replaced by DATABASE_URL", false)
            }
            Shown::Given(value) => (value.clone(), "set", true),
            Shown::Default(value) => {
                ((*value).to_owned(), if value.is_empty() { "not set" } else { "default" }, false)
            }
            Shown::Secret(SecretSource::Variable) => ("••••••".to_owned(), "set", true),
            Shown::Secret(SecretSource::File) => ("••••••".to_owned(), "set, from a file", true),
            Shown::Secret(SecretSource::Credential) => ("••••••".to_owned(), "set, by systemd", true),
            Shown::NoSecret => (String::new(), "not set", false),
        };
        SettingRow { name: setting.name.clone(), value, source, is_chosen, meaning: plain(setting.meaning) }
    };
    settings.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of the last of these settings: value and source.
    fn shown(settings: Vec<(&str, Shown)>) -> (String, &'static str) {
        let setting = |(name, value): (&str, Shown)| Setting { name: name.into(), meaning: "", value };
        let rows = rows(&settings.into_iter().map(setting).collect::<Vec<_>>());
        rows.into_iter().last().map(|row| (row.value, row.source)).unwrap()
    }

    #[test]
    fn a_value_says_where_it_comes_from() {
        assert_eq!(shown(vec![("PORT", Shown::Given("1".into()))]), ("1".to_owned(), "set"));
        assert_eq!(shown(vec![("PORT", Shown::Default("3001"))]), ("3001".to_owned(), "default"));
        assert_eq!(shown(vec![("DB_TLS", Shown::Default(""))]), (String::new(), "not set"));
        assert_eq!(shown(vec![("API_TOKEN", Shown::NoSecret)]), (String::new(), "not set"));
        let secret = Shown::Secret(SecretSource::File);
        assert_eq!(shown(vec![("API_TOKEN", secret)]), ("••••••".to_owned(), "set, from a file"));
    }

    #[test]
    fn what_the_database_url_replaces_shows_no_value() {
        let url = ("DATABASE_URL", Shown::Secret(SecretSource::Variable));
        let host = ("DB_HOST", Shown::Default("127.0.0.1"));
        assert_eq!(shown(vec![url, host.clone()]), (String::new(), "replaced by DATABASE_URL"));
        assert_eq!(shown(vec![("DATABASE_URL", Shown::NoSecret), host]).1, "default");
    }
}
