//! What is logged and how it looks.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::Environment;
use super::variables::variable;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// What is logged; read before everything else so that other problems can be logged.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Line format, `LOG_FORMAT`.
    pub format: LogFormat,
    /// Filter in the syntax of `tracing_subscriber::EnvFilter`, `LOG_LEVEL`; the default when that is not valid.
    pub level: String,
}

impl LogConfig {
    /// Reads the `LOG_` variables.
    pub fn read(env: &mut Environment) -> Self {
        let format = match env.text("LOG_FORMAT").as_str() {
            "json" => LogFormat::Json,
            "text" => LogFormat::Text,
            _ => env.reject("LOG_FORMAT", LogFormat::Text),
        };
        let level = match env.text("LOG_LEVEL") {
            level if is_filter(&level) => level,
            _ => env.reject("LOG_LEVEL", variable("LOG_LEVEL").default.to_owned()),
        };
        Self { format, level }
    }
}

/// Whether it is a level or a list of levels by module.
///
/// `EnvFilter` reads any word as the name of a module, so that `LOG_LEVEL=verbose` would log nothing at all.
fn is_filter(text: &str) -> bool {
    let is_part = |part: &str| part.contains(['=', '[']) || part.trim().parse::<LevelFilter>().is_ok();
    EnvFilter::try_new(text).is_ok() && text.split(',').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::is_filter;

    #[test]
    fn a_level_that_would_log_nothing_is_refused() {
        for level in ["info", "WARN", "off", "warn,hyper=debug", "info,hubspot_mariadb_connector::sync=trace"]
        {
            assert!(is_filter(level), "{level}");
        }
        for level in ["verbose", "infos", "info,hyper", "hyper=loud", "7"] {
            assert!(!is_filter(level), "{level}");
        }
    }
}
