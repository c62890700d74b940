//! Reading variables and collecting what is wrong with them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use super::variables::{OWN_PREFIXES, Variable, variable};
use super::{ConfigError, VARIABLES};

/// A variable that is missing or wrong, with the rule its value must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub name: String,
    /// What is wrong and what would be right. Never holds the value of a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

/// The environment, and the problems found in it so far.
#[derive(Debug)]
pub struct Environment {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Environment {
    /// Takes the process environment, after `.env` in the working directory or above filled what is not set.
    pub fn from_process() -> Self {
        let file = dotenvy::dotenv();
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let mut environment = Self::from_pairs(std::env::vars_os().filter_map(text));
        // No file is the normal case on a server. Any other error would quote the line, which may hold a secret.
        if file.is_err_and(|error| !error.not_found()) {
            let message = "has a line that cannot be read, and what follows it is lost; put values with spaces in quotes";
            environment.problem(".env", message.to_owned());
        }
        environment
    }

    /// Takes the given variables. An empty value is the same as an absent one.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = pairs
            .into_iter()
            .map(|(name, value)| (name, value.trim().to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Self { values, problems: Vec::new() }
    }

    /// The value of `name` if it is set, without its default.
    pub fn given(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// The value of `name`, else its default; empty when it has neither.
    pub fn text(&self, name: &str) -> String {
        self.given(name).unwrap_or_else(|| variable(name).default.to_owned())
    }

    /// The value of `name` parsed and accepted by `valid`, else a problem and `T::default()`.
    pub fn parsed<T: FromStr + Default>(&mut self, name: &str, valid: impl Fn(&T) -> bool) -> T {
        match self.text(name).parse() {
            Ok(value) if valid(&value) => value,
            _ => self.reject(name, T::default()),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> bool {
        self.parsed(name, |_: &bool| true)
    }

    /// Records that the value of `name` breaks its rule and returns `instead`, so that reading can go on.
    pub fn reject<T>(&mut self, name: &str, instead: T) -> T {
        let variable = variable(name);
        let value = match self.given(name) {
            None => "is not set".to_owned(),
            Some(_) if variable.secret => "is not valid".to_owned(),
            Some(value) => format!("`{value}` is not valid"),
        };
        self.problem(name, format!("{value}; it must be {}", variable.rule));
        instead
    }

    /// Records a problem in words of its own.
    pub fn problem(&mut self, name: &str, message: String) {
        self.problems.push(Problem { name: name.to_owned(), message });
    }

    /// `config` if nothing was wrong.
    ///
    /// # Errors
    /// Every problem recorded, and every variable that looks like one of ours but is none: a misspelt setting
    /// that silently does nothing is worse than a refused start.
    pub fn finish<T>(mut self, config: T) -> Result<T, ConfigError> {
        let unknown = self.values.keys().filter(|name| {
            OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                && !VARIABLES.iter().any(|variable| variable.matches(name))
        });
        let unknown: Vec<_> = unknown.cloned().collect();
        for name in unknown {
            self.problem(&name, "is not a variable of hubspot-connector; check the spelling".to_owned());
        }
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError(self.problems)) }
    }
}

impl Variable {
    /// Whether this entry describes the variable called `name`.
    fn matches(&self, name: &str) -> bool {
        match self.name.strip_suffix("<TYPE>") {
            None => self.name == name,
            Some(prefix) => name.strip_prefix(prefix).is_some_and(|object_type| {
                crate::model::OBJECT_TYPES.iter().any(|known| known.name.eq_ignore_ascii_case(object_type))
            }),
        }
    }
}
