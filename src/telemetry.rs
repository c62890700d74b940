//! Log lines: where they go and how they look.
//!
//! Everything goes to standard error, because standard output carries what commands print. Lines hold ids,
//! counts and durations, never property values, addresses or tokens.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging for the rest of the process. `writer` receives the lines.
pub fn start(config: &LogConfig, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    // What libraries say of connections, and scheduler ticks, are noise.
    let quiet = "sqlx=warn,tokio_cron_scheduler=warn,hyper_util=info,rustls=warn,reqwest=info,h2=info";
    let filter = EnvFilter::new(format!("{quiet},{}", config.level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    match config.format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).init(),
    }
}
