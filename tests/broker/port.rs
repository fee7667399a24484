//! Ports for servers that go and come back on the same one. They lie below those that the system gives to
//! whoever asks for any, and are held against other tests by the UDP port of the same number: otherwise
//! somebody takes one while its server is down, and the server never comes back.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;

const PORTS: Range<u16> = 10_000..30_000;

/// A port of this test alone, for as long as this lives.
pub(crate) struct Port {
    pub(crate) number: u16,
    _held: UdpSocket,
}

impl Port {
    /// One that nobody listens on.
    pub(crate) fn take() -> Self {
        loop {
            let number = rand::random_range(PORTS);
            let address = (Ipv4Addr::LOCALHOST, number);
            if let (Ok(_held), Ok(_)) = (UdpSocket::bind(address), TcpListener::bind(address)) {
                return Self { number, _held };
            }
        }
    }
}

#[test]
fn a_port_is_one_tests_alone_and_nobody_gets_it_by_chance() {
    let ports: Vec<_> = std::iter::repeat_with(Port::take).take(500).collect();
    let numbers: std::collections::BTreeSet<_> = ports.iter().map(|port| port.number).collect();
    assert_eq!(numbers.len(), ports.len());
    let by_chance: Vec<_> = (0..500).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    assert!(by_chance.iter().all(|socket| !PORTS.contains(&socket.local_addr().unwrap().port())));
}
