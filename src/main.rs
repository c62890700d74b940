//! Entry point: the allocator, the TLS provider, the runtime. Everything else is in the library.

use std::process::ExitCode;

/// Up to twice as fast as the system's for pages of small strings, and steadier in size over months. Version 2, without
/// huge pages: version 3 keeps three times as much. What a thread has freed it gives back when it next asks for more;
/// the units in `deploy/` tell it to do so at once, because this program asks for much and then for nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Two threads, whatever the machine: HubSpot's limits leave one of them idle, and each keeps memory of its own.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else installs a TLS provider");
    hubspot_mariadb_connector::cli::main().await
}
