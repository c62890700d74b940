//! A ChromeDriver of one's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest it may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where scripts/setup unpacks a program on systems that have none of their own, if it has.
pub(crate) fn unpacked(program: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(program);
    path.exists().then_some(path)
}

/// A running ChromeDriver; it and its browser end when dropped.
pub(crate) struct ChromeDriver {
    process: Child,
    port: u16,
}

impl ChromeDriver {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Self {
        let started = tokio::task::spawn_blocking(Self::start_and_wait);
        let started = tokio::time::timeout(PATIENCE, started).await.expect("ChromeDriver starts in time");
        started.expect("ChromeDriver starts")
    }

    /// The same.
    fn start_and_wait() -> Self {
        let mut command = Command::new(unpacked("chromedriver").unwrap_or_else(|| "chromedriver".into()));
        let command =
            command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let process = command.spawn();
        let mut process = process
            .unwrap_or_else(|error| panic!("chromedriver is missing, run scripts/setup test: {error}"));
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        // Made before anything can fail, so that the process ends with it.
        let mut driver = Self { process, port: 0 };
        let mut lines = output.lines().map_while(Result::ok);
        driver.port = lines
            .find_map(|line| {
                line.rsplit_once("on port ")?.1.trim_end_matches('.').parse().ok().filter(|port| *port != 0)
            })
            .expect("ChromeDriver says where it listens");
        driver
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Asks it to end, and its browser with it: a killed one leaves that behind.
    fn ask_to_end(&mut self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())?;
        let began = Instant::now();
        while self.process.try_wait()?.is_none() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for ChromeDriver {
    fn drop(&mut self) {
        self.ask_to_end().ok();
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
