//! Who is at the other end of a connection, for limits that must not let one be in the way of others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::HeaderMap;

/// The address of a client: of an IPv6 one the network, as everybody has many addresses there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    /// Who asks where no listener of ours tells the connection: somebody on this machine, or for whom they ask.
    pub(super) fn beside(headers: &HeaderMap) -> Self {
        Self::of(Ipv4Addr::LOCALHOST.into(), headers)
    }

    /// Who asks over a connection from `peer`. A proxy is believed whom it asks for where it stands on this machine or in
    /// its network; everybody else could write any address into the header.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap) -> Self {
        let peer = peer.to_canonical();
        // The nearest proxy adds the address it sees at the end; what stands before it came with the request.
        let told = headers.get_all("x-forwarded-for").iter().next_back().and_then(|told| told.to_str().ok());
        let told = told.and_then(|told| told.rsplit(',').next()?.trim().parse().ok());
        Self(network(told.filter(|_| is_near(peer)).map_or(peer, |told: IpAddr| told.to_canonical())))
    }
}

/// Whether an address belongs to this machine or to a private network.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// The part of an address that tells its owner: the first 64 bits of an IPv6 one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client of a connection from `peer` with these headers.
    fn client(peer: &str, forwarded: &[&str]) -> String {
        let headers =
            forwarded.iter().map(|told| ("x-forwarded-for".parse().unwrap(), told.parse().unwrap()));
        Client::of(peer.parse().unwrap(), &headers.collect::<HeaderMap>()).0.to_string()
    }

    #[test]
    fn a_near_proxy_tells_whom_it_asks_for() {
        assert_eq!(client("127.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("::ffff:10.0.0.7", &["203.0.113.9, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.7", &["203.0.113.9", "192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("fd00::1", &["2001:db8:1:2:3:4:5:6"]), "2001:db8:1:2::");
    }

    #[test]
    fn nobody_else_chooses_an_address() {
        assert_eq!(client("203.0.113.9", &["192.0.2.1"]), "203.0.113.9");
        for nonsense in ["", "unknown", "192.0.2.1:80, _hidden"] {
            assert_eq!(client("127.0.0.1", &[nonsense]), "127.0.0.1", "{nonsense}");
        }
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    }
}
