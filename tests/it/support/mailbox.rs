//! A mail server of one test's own: takes whatever arrives, or refuses it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A mail that arrived.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// Envelope: who logs in, who sends and who gets it.
    pub envelope: Vec<String>,
    /// Header and body.
    pub content: String,
}

/// A running mail server on a port of its own. Its thread ends with the process.
pub struct Mailbox {
    /// `ALERT_SMTP_URL` of it.
    pub url: String,
    received: Arc<Mutex<Vec<Mail>>>,
}

impl Mailbox {
    /// Takes everything.
    pub fn open() -> Self {
        Self::answering("250 taken")
    }

    /// Answers each recipient with this line.
    pub fn answering(line: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Mail>>>::default();
        let box_of_thread = received.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                // A client that hangs up has had its say.
                if let Some(mail) = connection.ok().and_then(|connection| take(&connection, line)) {
                    box_of_thread.lock().unwrap().push(mail);
                }
            }
        });
        Self { url, received }
    }

    /// What has arrived so far.
    pub fn received(&self) -> Vec<Mail> {
        self.received.lock().unwrap().clone()
    }
}

/// Speaks SMTP until the client has handed over a mail; `None` when it does not. Source: RFC 5321.
fn take(connection: &TcpStream, to_recipient: &str) -> Option<Mail> {
    let (mut mail, mut lines) = (Mail::default(), BufReader::new(connection).lines());
    let say = |line: &str| write!({ connection }, "{line}\r\n").ok();
    say("220 mail.test ready")?;
    loop {
        let line = lines.next()?.ok()?;
        match line.split(' ').next()?.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => say("250-mail.test\r\n250 AUTH PLAIN")?,
            "AUTH" => {
                mail.envelope.push(line);
                say("235 welcome")?;
            }
            "MAIL" => {
                mail.envelope.push(line);
                say("250 go on")?;
            }
            "RCPT" => {
                mail.envelope.push(line);
                say(to_recipient)?;
            }
            "DATA" => {
                say("354 end with a dot")?;
                for line in lines.by_ref() {
                    match line.ok()?.as_str() {
                        "." => break,
                        line => mail.content.extend([line, "\n"]),
                    }
                }
                say("250 taken")?;
                return Some(mail);
            }
            "QUIT" => {
                say("221 bye")?;
                return None;
            }
            _ => say("502 unknown")?,
        }
    }
}
