//! The settings as they may be shown to people: every variable with its value, and of secrets only whether they are set.

use super::variables::{VARIABLES, Variable};
use super::{Environment, SecretSource};

/// A variable and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub meaning: &'static str,
    /// What it is.
    pub value: Shown,
}

/// What may be shown of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It is set to this.
    Given(String),
    /// It is not set, and then it is this; empty: there is no default.
    Default(&'static str),
    /// A secret that is set, and where.
    Secret(SecretSource),
    /// A secret that is not set.
    NoSecret,
}

impl Environment {
    /// Every setting, in the order of [`VARIABLES`].
    pub(super) fn settings(&self) -> Vec<Setting> {
        VARIABLES.iter().flat_map(|variable| self.settings_of(variable)).collect()
    }

    /// The settings of a variable: one, or one for each type it is set for.
    fn settings_of(&self, variable: &'static Variable) -> Vec<Setting> {
        let setting = |name: &str, value| Setting { name: name.to_owned(), meaning: variable.meaning, value };
        if variable.secret {
            let value = self.source_of(variable.name).map_or(Shown::NoSecret, Shown::Secret);
            return vec![setting(variable.name, value)];
        }
        let given = |name: &str| self.given(name).map(|value| Shown::Given(without_password(&value)));
        let Some(family) = variable.family() else {
            let value = given(variable.name).unwrap_or(Shown::Default(variable.default));
            return vec![setting(variable.name, value)];
        };
        let named: Vec<_> = self.names().filter(|name| is_of_family(name, family)).collect();
        if named.is_empty() {
            return vec![setting(variable.name, Shown::Default(variable.default))];
        }
        named.into_iter().filter_map(|name| Some(setting(name, given(name)?))).collect()
    }
}

/// Whether a name is one of a variable that exists for each type, and no variable of its own.
fn is_of_family(name: &str, family: &str) -> bool {
    name.starts_with(family) && name.len() > family.len() && !VARIABLES.iter().any(|known| known.name == name)
}

/// A value that may be a URL, without the password somebody may have written into it.
fn without_password(value: &str) -> String {
    match value.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://…@{rest}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a variable.
    fn shown(pairs: &[(&str, &str)], name: &str) -> Vec<(String, Shown)> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Environment::from_pairs(pairs).settings();
        let wanted = settings.into_iter().filter(|setting| setting.name.starts_with(name));
        wanted.map(|setting| (setting.name, setting.value)).collect()
    }

    #[test]
    fn a_value_is_shown_or_its_default() {
        let value = |pairs| shown(pairs, "PUSH_ENABLED").remove(0).1;
        assert_eq!(value(&[]), Shown::Default("true"));
        assert_eq!(value(&[("PUSH_ENABLED", "false")]), Shown::Given("false".to_owned()));
    }

    #[test]
    fn of_secrets_only_it_is_shown_where_they_are_set() {
        let value = |pairs| shown(pairs, "DB_PASSWORD").remove(0).1;
        assert_eq!(value(&[]), Shown::NoSecret);
        assert_eq!(value(&[("DB_PASSWORD", "hunter2")]), Shown::Secret(SecretSource::Variable));
        assert_eq!(value(&[("DB_PASSWORD_FILE", "/run/x")]), Shown::Secret(SecretSource::File));
        let secrets: Vec<_> = VARIABLES.iter().filter(|variable| variable.secret).collect();
        assert!(secrets.len() > 5);
        for variable in secrets {
            let all = Environment::from_pairs([(variable.name.to_owned(), "hunter2".to_owned())]).settings();
            assert!(!format!("{all:?}").contains("hunter2"), "{}", variable.name);
        }
    }

    #[test]
    fn a_variable_of_types_is_shown_for_each_type_it_is_set_for() {
        let given = |value: &str| Shown::Given(value.to_owned());
        assert_eq!(shown(&[], "SYNC_CRON_"), [("SYNC_CRON_<TYPE>".to_owned(), Shown::Default(""))]);
        let pairs = [("SYNC_CRON_DEALS", "* * * * *"), ("SYNC_CRON_CARS", "1 * * * *")];
        let expected = [
            ("SYNC_CRON_CARS".to_owned(), given("1 * * * *")),
            ("SYNC_CRON_DEALS".to_owned(), given("* * * * *")),
        ];
        assert_eq!(shown(&pairs, "SYNC_CRON_"), expected);
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(without_password("https://a:b@c@host/x"), "https://…@host/x");
        assert_eq!(without_password("https://host/x"), "https://host/x");
        assert_eq!(without_password("ops@example.test"), "ops@example.test");
    }

    #[test]
    fn every_variable_is_shown() {
        let settings = Environment::from_pairs([]).settings();
        let names: Vec<_> = settings.iter().map(|setting| setting.name.as_str()).collect();
        assert_eq!(names, VARIABLES.iter().map(|variable| variable.name).collect::<Vec<_>>());
    }
}
