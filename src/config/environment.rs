//! Reading variables and collecting what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use super::ConfigError;
use super::variables::variable;

/// A variable that is missing or wrong, with the rule its value must follow and a valid example.
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
pub struct Environment {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
    /// Names that are read and in no table, because they end with the name of a custom object.
    pub(super) of_custom_types: BTreeSet<String>,
}

/// Names without values: some are secrets, ours and other programs'.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().collect();
        let mut shown = f.debug_struct("Environment");
        shown.field("names", &names).field("problems", &self.problems).finish_non_exhaustive()
    }
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
        Self { values, problems: Vec::new(), of_custom_types: BTreeSet::new() }
    }

    /// Every name that has a value, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The value of `name` if it is set, without its default. For secrets there is [`Environment::secret`].
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
        match self.given(name) {
            None => self.reject_because(name, "is not set"),
            Some(_) if variable(name).secret => self.reject_because(name, "is not valid"),
            Some(value) => self.reject_because(name, &format!("`{value}` is not valid")),
        }
        instead
    }

    /// Records what is wrong with `name`, and adds its rule and a valid example.
    pub fn reject_because(&mut self, name: &str, reason: &str) {
        let expectation = variable(name).expectation(name);
        self.problem(name, format!("{reason}; it must be {expectation}"));
    }

    /// Records a problem in words of its own; once, however often the variable is read.
    pub fn problem(&mut self, name: &str, message: String) {
        let problem = Problem { name: name.to_owned(), message };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// `config` if nothing was wrong.
    ///
    /// # Errors
    /// Every problem recorded, and every name that is a misspelling of one of ours.
    pub fn finish<T>(mut self, config: T) -> Result<T, ConfigError> {
        self.reject_misspellings();
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError(self.problems)) }
    }
}
