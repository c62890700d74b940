//! Where secrets come from: their variable, a file, or systemd.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::Environment;
use super::variables::variable;

/// Variable in which systemd tells the directory of the unit's credentials. Source: systemd.exec(5), "CREDENTIALS".
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Where a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretSource {
    /// In its variable.
    Variable,
    /// In the file its other variable names.
    File,
    /// With systemd.
    Credential,
}

impl Environment {
    /// The secret `name`: the value of that variable, else what the file holds whose path `NAME_FILE` is, else the
    /// systemd credential called `name`. `None` when it is in none of them.
    ///
    /// A file that cannot be used and a value `valid` does not accept are problems, and so are the variable and
    /// `NAME_FILE` together, because one of the two would silently be outdated; the value is then empty.
    pub fn secret(&mut self, name: &str, valid: impl Fn(&str) -> bool) -> Option<SecretString> {
        let file_name = variable(name).file_name().expect("only secrets are read as secrets");
        let (given, path) = (self.given(name), self.given(&file_name));
        let (blamed, source, value) = match (given, path) {
            (Some(_), Some(_)) => {
                self.problem(name, format!("is set, and so is {file_name}; set only one of them"));
                return Some(SecretString::default());
            }
            (Some(value), None) => (name, String::new(), Ok(value)),
            (None, Some(path)) => (file_name.as_str(), format!("the file `{path}` "), read(Path::new(&path))),
            (None, None) => {
                let path = self.credential(name)?;
                (name, format!("the systemd credential `{}` ", path.display()), read(&path))
            }
        };
        let problem = match value {
            Ok(value) if valid(&value) => return Some(value.into()),
            // Not even a part of it is shown.
            Ok(_) => "is not valid".to_owned(),
            Err(reason) => reason,
        };
        self.reject_because(blamed, &format!("{source}{problem}"));
        Some(SecretString::default())
    }

    /// Where the secret `name` is; `None`: nowhere.
    pub(super) fn source_of(&self, name: &str) -> Option<SecretSource> {
        let file_name = variable(name).file_name()?;
        let is_given = |name: &str| self.given(name).is_some();
        match () {
            () if is_given(name) => Some(SecretSource::Variable),
            () if is_given(&file_name) => Some(SecretSource::File),
            () => self.credential(name).map(|_| SecretSource::Credential),
        }
    }

    /// The file of the systemd credential `name`, if the unit loads one.
    fn credential(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(&self.given(CREDENTIALS_DIRECTORY)?).join(name);
        // A file of which nobody can tell whether it exists is one that cannot be read.
        path.try_exists().unwrap_or(true).then_some(path)
    }
}

/// The content of a file without the end of its last line, or why it cannot be used.
fn read(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    match text.trim_end_matches(['\n', '\r']) {
        empty if empty.trim().is_empty() => Err("is empty".to_owned()),
        value => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;

    /// A directory with one file.
    fn directory(name: &str, content: impl AsRef<[u8]>) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), content).unwrap();
        directory
    }

    /// An environment of these variables.
    fn environment<const N: usize>(pairs: [(&str, &str); N]) -> Environment {
        Environment::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    /// The database password in an environment, and the problems met on the way.
    fn password<const N: usize>(pairs: [(&str, &str); N]) -> (Option<String>, String) {
        let mut environment = environment(pairs);
        let password = environment.secret("DB_PASSWORD", |value| value != "unacceptable");
        let problems = environment.finish(()).err().map(|error| error.to_string()).unwrap_or_default();
        (password.map(|password| password.expose_secret().to_owned()), problems)
    }

    #[test]
    fn a_secret_comes_from_its_variable_else_its_file_else_its_credential() {
        let credentials = directory("DB_PASSWORD", "from systemd");
        let credentials = ("CREDENTIALS_DIRECTORY", credentials.path().to_str().unwrap());
        let file = directory("password", "from a file");
        let path = file.path().join("password");
        let file = ("DB_PASSWORD_FILE", path.to_str().unwrap());
        let value = |(password, problems): (Option<String>, String)| {
            assert_eq!(problems, "");
            password
        };
        assert_eq!(value(password([("DB_PASSWORD", "from here"), credentials])).unwrap(), "from here");
        assert_eq!(value(password([file, credentials])).unwrap(), "from a file");
        assert_eq!(value(password([credentials])).unwrap(), "from systemd");
        assert_eq!(value(password([])), None);
    }

    #[test]
    fn a_credential_that_is_not_loaded_is_none() {
        let credentials = directory("HUBSPOT_ACCESS_TOKEN", "pat-x");
        let found = password([("CREDENTIALS_DIRECTORY", credentials.path().to_str().unwrap())]);
        assert_eq!(found, (None, String::new()));
    }

    #[test]
    fn only_the_end_of_the_last_line_is_no_part_of_the_secret() {
        for (content, expected) in [(" a b \n", " a b "), ("a\r\n", "a"), ("a\nb\n", "a\nb"), ("a", "a")] {
            let directory = directory("password", content);
            let path = directory.path().join("password");
            let (found, problems) = password([("DB_PASSWORD_FILE", path.to_str().unwrap())]);
            assert_eq!((found.as_deref(), problems.as_str()), (Some(expected), ""), "{content:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_its_variable_and_its_content_is_not_shown() {
        for content in ["", "\n", " \n", "unacceptable\n"] {
            let directory = directory("DB_PASSWORD", content);
            let (folder, path) = (directory.path(), directory.path().join("DB_PASSWORD"));
            let (folder, path) = (folder.to_str().unwrap(), path.to_str().unwrap());
            for (variable, value, blamed) in [
                ("DB_PASSWORD_FILE", path, "DB_PASSWORD_FILE: "),
                ("CREDENTIALS_DIRECTORY", folder, "DB_PASSWORD: "),
            ] {
                let (_, problems) = password([(variable, value)]);
                assert!(problems.contains(blamed) && problems.contains(path), "{content:?}: {problems}");
                assert!(problems.contains(", for example `"), "{problems}");
                assert!(!problems.contains("unacceptable"), "{problems}");
            }
        }
        for path in ["/nonexistent/password", "/"] {
            let (_, problems) = password([("DB_PASSWORD_FILE", path)]);
            assert!(problems.contains(&format!("`{path}` cannot be read: ")), "{problems}");
        }
        let binary = directory("password", [0xff, 0xfe]);
        let path = binary.path().join("password");
        let (_, problems) = password([("DB_PASSWORD_FILE", path.to_str().unwrap())]);
        assert!(problems.contains("cannot be read"), "{problems}");
    }

    #[test]
    fn a_secret_given_twice_is_refused() {
        let (_, problems) = password([("DB_PASSWORD", "old"), ("DB_PASSWORD_FILE", "/nonexistent")]);
        assert!(problems.contains("DB_PASSWORD: is set, and so is DB_PASSWORD_FILE"), "{problems}");
        assert_eq!(problems.lines().count(), 2, "one problem is enough: {problems}");
    }

    #[test]
    fn a_secret_does_not_show_when_the_environment_is_formatted() {
        let shown = format!("{:?}", environment([("DB_PASSWORD", "hunter2")]));
        assert!(shown.contains("DB_PASSWORD") && !shown.contains("hunter2"), "{shown}");
    }
}
