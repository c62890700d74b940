//! How many full pages a second the simulator serves.
//!
//! Run with `cargo bench -p hubspot-simulator --bench pages`, on a machine with nothing else to do. Starts a
//! simulator with 1,000,000 contacts and no limits, reads pages of 100 records for some seconds over several
//! keep-alive connections from the same machine, and prints one line per kind of page. The client does no more than
//! read and count bytes, so that the figure is the simulator's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hubspot_simulator::catalogue::Catalogue;
use hubspot_simulator::object_type::{Kind, STANDARD};
use hubspot_simulator::{Config, Server};

/// The allocator of the program, which matters for half-megabyte answers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each kind of page is read.
const DURATION: Duration = Duration::from_secs(5);

/// Connections, each with a thread.
const CONNECTIONS: u64 = 3;

/// Contacts in the account.
const CONTACTS: u64 = 1_000_000;

/// Starts a simulator and measures it.
fn main() -> Result<()> {
    let natural = Config { no_limits: true, contacts: CONTACTS, url_limit: 60_000, ..Config::default() };
    let padded = Config { record_bytes: Some(4_096), ..natural.clone() };
    let catalogue = Catalogue::load(STANDARD.of(Kind::CONTACT))?;
    let all: Vec<String> = catalogue.iter().map(|(_, property)| property.name.clone()).collect();
    let filled: Vec<String> = catalogue
        .iter()
        .filter(|(_, property)| property.fill.is_some())
        .map(|(_, property)| property.name.clone())
        .collect();
    measure("natural records, the properties that have values", natural.clone(), &filled)?;
    measure("natural records, all properties", natural, &all)?;
    measure("records padded to 4 KB, all properties", padded, &all)
}

/// Reads pages of these properties for a while and prints what came.
fn measure(title: &str, config: Config, properties: &[String]) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Server::start(config))?;
    let address = server.url().trim_start_matches("http://").to_owned();
    let (pages, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let (address, pages, bytes) = (&address, &pages, &bytes);
                scope.spawn(move || read_pages(address, properties, connection, pages, bytes))
            })
            .collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader does not panic"))
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let (pages, bytes) = (pages.into_inner() as f64, bytes.into_inner() as f64);
    let mut stdout = std::io::stdout();
    writeln!(
        stdout,
        "{title}: {:.0} pages/s, {:.0} records/s, {:.1} KB per record, {:.0} MB/s",
        pages / seconds,
        100.0 * pages / seconds,
        bytes / pages / 100.0 / 1_000.0,
        bytes / seconds / 1_000_000.0,
    )?;
    runtime.block_on(server.stop());
    Ok(())
}

/// Reads pages one after another on one connection until the time is over.
fn read_pages(
    address: &str,
    properties: &[String],
    connection: u64,
    pages: &AtomicU64,
    bytes: &AtomicU64,
) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(256 * 1024, stream.try_clone()?);
    let names = properties.join(",");
    let (first_id, id_stride) = Kind::CONTACT.numbering();
    let mut after = first_id + connection * id_stride * CONTACTS / CONNECTIONS;
    let started = Instant::now();
    while started.elapsed() < DURATION {
        let request = format!(
            "GET /crm/objects/2026-09/contacts?limit=100&after={after}&properties={names} HTTP/1.1\r\nhost: simulator\r\n\
             authorization: Bearer sim-token\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        bytes.fetch_add(read_answer(&mut reader)?, Ordering::Relaxed);
        pages.fetch_add(1, Ordering::Relaxed);
        after += 100 * id_stride;
        if after >= first_id + id_stride * (CONTACTS - 200) {
            after = first_id;
        }
    }
    Ok(())
}

/// Reads one answer and returns the length of its body.
fn read_answer(reader: &mut BufReader<TcpStream>) -> Result<u64> {
    let mut length = None;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    anyhow::ensure!(line.starts_with("HTTP/1.1 200"), "unexpected answer {line:?}");
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line == "\r\n" {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = Some(text.trim().parse::<u64>()?);
        }
    }
    let length = length.context("an answer says how long it is")?;
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    Ok(length)
}
