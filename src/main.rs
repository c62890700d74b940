//! Entry point: the allocator, the TLS provider, the runtime. Everything else is in the library.

use std::process::ExitCode;

/// Up to twice as fast as the system's for pages of small strings, and steadier in size over months.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else installs a TLS provider");
    hubspot_mariadb_connector::cli::main().await
}
