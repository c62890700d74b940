//! The program: what it prints, how it ends, and what a million records cost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far more than a start takes, even on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The simulator as a process of its own, ended when dropped.
struct Program {
    /// The process.
    child: Child,
    /// Where it listens, without scheme.
    address: String,
}

impl Program {
    /// Starts the program and waits for its first line.
    fn start(arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_hubspot-simulator"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was built for this test");
        // Made before anything can fail, so that the process ends with it.
        let mut program = Self { child, address: String::new() };
        let line = first_line(program.child.stdout.take().expect("standard output is a pipe"));
        let address =
            line.trim_end().strip_prefix("listening on http://").expect("the first line tells the address");
        assert!(address.starts_with("127.0.0.1:"));
        address.clone_into(&mut program.address);
        program
    }

    /// Sends a request and returns the whole answer.
    fn ask(&self, request_line: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the program listens");
        let request = format!(
            "{request_line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sim-token\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the request is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is text");
        answer
    }

    /// Sends a signal.
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
    }

    /// Waits for the end, but not for ever.
    fn exit_code(&mut self) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the program did not end");
    }
}

/// The first line of the program's output, but not for ever.
fn first_line(output: ChildStdout) -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        sender.send(BufReader::new(output).read_line(&mut line).map(|_| line)).ok();
    });
    let line = receiver.recv_timeout(START_LIMIT).expect("the program starts in time");
    line.expect("the program prints where it listens")
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_line_tells_the_address_and_both_signals_end_the_program_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::start(&["--contacts", "10"]);
        assert!(program.ask("GET /crm/v3/objects/contacts?limit=1", "").contains("\"results\":[{"));
        program.signal(signal);
        assert_eq!(program.exit_code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_request_that_hangs_does_not_keep_the_program_alive() {
    let mut program = Program::start(&[]);
    program.ask("POST /_sim/faults", r#"{"action":{"kind":"hang","ms":60000}}"#);
    let mut stream = TcpStream::connect(&program.address).unwrap();
    stream
        .write_all(b"GET /crm/v3/owners HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sim-token\r\n\r\n")
        .unwrap();
    while !program.ask("GET /_sim/faults", "").ends_with("{\"faults\":[]}") {
        std::thread::sleep(Duration::from_millis(10));
    }
    program.signal(Signal::TERM);
    assert_eq!(program.exit_code(), Some(0));
}

#[test]
fn a_million_records_cost_no_memory() {
    /// Most memory the program may ever have used, in KB; the tables and the runtime take about a third of it.
    const MOST_KB: u64 = 64 * 1024;
    let program = Program::start(&["--contacts", "1000000", "--companies", "50000", "--no-limits"]);
    assert!(program.ask("GET /_sim/count/contacts", "").contains("\"live\":1000000"));
    assert!(program.ask("GET /crm/v3/objects/contacts?limit=100&after=83210000000", "").contains("paging"));
    let window = r#"{"filters":[{"propertyName":"lastmodifieddate","operator":"GTE","value":"1600000000000"},
        {"propertyName":"hs_object_id","operator":"GT","value":"83205000000"}],"sorts":["hs_object_id"],"limit":200}"#;
    assert!(program.ask("POST /crm/v3/objects/contacts/search", window).contains("\"total\":7"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kb < MOST_KB, "{peak_kb} KB");
}
