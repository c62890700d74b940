//! What bodies take up while they arrive, and who gives way when that is too much.
//!
//! Before a body is whole nobody knows whose it is, so strangers may send too, and stall. They must not keep HubSpot out by
//! that:
//!
//! - The first [`FREE`] bytes of a body always have room. HubSpot's deliveries need no more as a rule, and as many bodies
//!   arrive at a time as there are connections, at most.
//! - What goes beyond that shares [`SHARED`] bytes. When they are used up, the address that holds most of them gives up its
//!   largest body to one that holds less. So many addresses share evenly, and none can hold what others need.
//! - What is known to be HubSpot's is not given up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::web::client::Client;

/// Bytes of each body that take up nothing of what is shared. A hundred usual events, the most HubSpot sends at once, are
/// some 50,000.
const FREE: usize = 128 * 1024;
/// What all bodies may take up together, in bytes, besides those.
const SHARED: usize = 64 * 1024 * 1024;

/// What is shared.
#[derive(Debug, Default)]
pub(super) struct Space(Mutex<Held>);

/// Who holds what of it.
#[derive(Debug, Default)]
struct Held {
    /// By number. Bodies that were given up are not in it any more.
    bodies: BTreeMap<u64, Body>,
    /// What they take up together.
    used: usize,
    next: u64,
}

/// A body that arrives, or has arrived and is worked on.
#[derive(Debug)]
struct Body {
    client: Client,
    /// What it takes up of the shared bytes.
    bytes: usize,
    is_trusted: bool,
    given_up: CancellationToken,
}

/// The room of one body; given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    space: Arc<Space>,
    number: u64,
    arrived: usize,
    given_up: CancellationToken,
}

impl Space {
    /// Room for a body from a client.
    pub(super) fn enter(self: &Arc<Self>, client: Client) -> Room {
        let given_up = CancellationToken::new();
        let body = Body { client, bytes: 0, is_trusted: false, given_up: given_up.clone() };
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.bodies.insert(number, body);
        Room { space: self.clone(), number, arrived: 0, given_up }
    }

    /// Who holds what. A panicked holder cannot have left it half-changed.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Whether there is room for so many more bytes. Nobody waits for it: two halves of large bodies would wait for each
    /// other.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.arrived.saturating_sub(FREE);
        self.arrived += bytes;
        self.space.held().grow(self.number, self.arrived.saturating_sub(FREE) - before)
    }

    /// Waits until the body has to give way.
    pub(super) async fn given_up(&self) {
        self.given_up.cancelled().await;
    }

    /// Says that the body is HubSpot's.
    pub(super) fn trust(&self) {
        if let Some(body) = self.space.held().bodies.get_mut(&self.number) {
            body.is_trusted = true;
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.space.held().remove(self.number);
    }
}

impl Held {
    /// Whether a body may take up so many more of the shared bytes; others give way to it if need be.
    fn grow(&mut self, number: u64, more: usize) -> bool {
        while self.used + more > SHARED && more > 0 {
            match self.whoever_gives_way_to(number, more) {
                Some(other) => self.remove(other),
                None => return false,
            }
        }
        let Some(body) = self.bodies.get_mut(&number) else { return false };
        body.bytes += more;
        self.used += more;
        true
    }

    /// The largest body of the client that holds most, if that is more than the body's own client would hold.
    fn whoever_gives_way_to(&self, number: u64, more: usize) -> Option<u64> {
        let own = self.bodies.get(&number)?.client;
        let mut by_client: BTreeMap<Client, usize> = BTreeMap::new();
        for body in self.bodies.values().filter(|body| !body.is_trusted) {
            *by_client.entry(body.client).or_default() += body.bytes;
        }
        let would_hold = by_client.get(&own).copied().unwrap_or_default() + more;
        let (greedy, _) =
            by_client.into_iter().filter(|(_, bytes)| *bytes > would_hold).max_by_key(|(_, bytes)| *bytes)?;
        let theirs = self.bodies.iter().filter(|(_, body)| !body.is_trusted && body.client == greedy);
        theirs.max_by_key(|(_, body)| body.bytes).map(|(number, _)| *number)
    }

    /// Takes a body out, and tells whoever reads it.
    fn remove(&mut self, number: u64) {
        if let Some(body) = self.bodies.remove(&number) {
            self.used -= body.bytes;
            body.given_up.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::http::HeaderMap;

    use super::*;

    const MIB: usize = 1024 * 1024;

    /// A client of its own for each letter.
    fn client(letter: char) -> Client {
        Client::of(Ipv4Addr::from_bits(0x2000_0000 + u32::from(letter)).into(), &HeaderMap::new())
    }

    /// A body from a client that takes up so much of what is shared.
    fn body(space: &Arc<Space>, letter: char, shared: usize) -> Room {
        let mut room = space.enter(client(letter));
        assert!(room.grow(FREE + shared), "{letter}");
        room
    }

    #[test]
    fn usual_bodies_have_room_whatever_others_hold() {
        let space = Arc::new(Space::default());
        let strangers = [body(&space, 'a', SHARED / 2), body(&space, 'a', SHARED / 2)];
        let mut usual: Vec<_> = (0..500).map(|_| body(&space, 'a', 0)).collect();
        assert!(!usual[0].grow(1), "beyond that there is none, from the same address");
        assert!(strangers.iter().all(|room| !room.given_up.is_cancelled()));
        drop(strangers);
        assert!(usual[1].grow(1));
    }

    #[test]
    fn the_address_that_holds_most_gives_way_to_one_that_holds_less() {
        let space = Arc::new(Space::default());
        let [large, small] = [body(&space, 'a', 30 * MIB), body(&space, 'a', 10 * MIB)];
        let other = body(&space, 'b', 24 * MIB);
        let newcomer = body(&space, 'c', 20 * MIB);
        assert!(large.given_up.is_cancelled());
        assert!(!small.given_up.is_cancelled() && !other.given_up.is_cancelled());
        drop(large);
        assert_eq!(space.held().used, 54 * MIB, "nothing is given back twice");
        let mut another = space.enter(client('c'));
        assert!(!another.grow(FREE + 20 * MIB), "it would hold most itself");
        drop(newcomer);
    }

    #[test]
    fn what_is_hubspots_is_not_given_up() {
        let space = Arc::new(Space::default());
        let trusted = body(&space, 'a', SHARED);
        trusted.trust();
        let mut newcomer = space.enter(client('b'));
        assert!(!newcomer.grow(FREE + 1) && !trusted.given_up.is_cancelled());
        drop((trusted, newcomer));
        let held = space.held();
        assert_eq!((held.used, held.bodies.len()), (0, 0), "all is given back");
    }
}
