//! The figures the README states, measured on this machine: `scripts/bench [NAME]...` runs it with a private MariaDB.
//!
//! It measures and never judges: the exit status is 0 whatever the figures are, and not 0 only when a measurement
//! could not be made. Times come from runs of the real programs over HTTP and SQL; medians of several rounds hide
//! what else the machine did, and where a goal is a share both sides of it are measured in the same round.

#![expect(clippy::print_stdout, reason = "the table is what it is run for")]

mod associations;
mod audit;
mod daemon;
mod engine;
mod incremental;
mod initial;
mod memory;
mod push;
mod report;
mod simulator;
mod start;
mod store;
mod surroundings;
mod sustained;
mod webhooks;

use anyhow::Context;
use report::Figure;
use surroundings::Surroundings;

/// The daemon's own allocator: the store path runs in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Names in the order they run, the long ones last.
const NAMES: &[&str] = &[
    "store",
    "engine",
    "start",
    "incremental",
    "associations",
    "push",
    "webhooks",
    "initial",
    "sustained",
    "memory",
    "audit",
];

/// Measures what the arguments name, everything without arguments. Cargo adds `--bench`.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else installs a TLS provider");
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let unknown = named.iter().find(|name| !NAMES.contains(&name.as_str()));
    if let Some(unknown) = unknown {
        anyhow::bail!("there is no benchmark `{unknown}`; there are {}", NAMES.join(", "));
    }
    let surroundings = Surroundings::from_environment()?;
    let mut figures = Vec::new();
    for name in NAMES.iter().filter(|name| named.is_empty() || named.iter().any(|wanted| wanted == **name)) {
        println!("measuring {name} ...");
        let measured = measure(name, &surroundings).await;
        let measured = measured.with_context(|| format!("could not measure {name}"))?;
        for figure in &measured {
            println!("  {figure}");
        }
        figures.extend(measured);
    }
    println!("{}", report::table(&figures));
    Ok(())
}

/// Runs one benchmark.
async fn measure(name: &str, surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    match name {
        "store" => store::measure(surroundings).await,
        "engine" => engine::measure(surroundings).await,
        "start" => start::measure(surroundings).await,
        "incremental" => incremental::measure(surroundings).await,
        "associations" => associations::measure(surroundings).await,
        "push" => push::measure(surroundings).await,
        "webhooks" => webhooks::measure(surroundings).await,
        "initial" => initial::measure(surroundings).await,
        "sustained" => sustained::measure(surroundings).await,
        "memory" => memory::measure(surroundings).await,
        _ => audit::measure(surroundings).await,
    }
}
