//! Connections within one machine: to a proxy before us, to a Redis beside us. Where the system paces what is
//! sent (BBR does), it sets a timer for every burst, which on the loopback buys nothing and took an eighth of a
//! relaying node's processor time. It refuses to touch connections that leave the machine.

use std::net::IpAddr;

use socket2::SockRef;
use tokio::net::TcpStream;

/// The oldest congestion control: every Linux has it, everybody may choose it, and it paces nothing.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNPACED: &[u8] = b"reno";

/// Has what is sent to a peer on this machine leave at once. Anywhere else, and where the system does not
/// let it be chosen, nothing is changed.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn unpace(tcp: &TcpStream) {
    if tcp.peer_addr().is_ok_and(|addr| is_here(addr.ip())) {
        // A system without it goes on as it does by itself.
        let _ = SockRef::from(tcp).set_tcp_congestion(UNPACED);
    }
}

/// Elsewhere it is not known how.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn unpace(_: &TcpStream) {}

fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_sent_within_the_machine_is_not_paced() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        unpace(&tcp);
        let name = SockRef::from(&tcp).tcp_congestion().unwrap();
        assert!(name.starts_with(UNPACED), "{name:?}");
    }

    #[test]
    fn only_this_machine_is_here() {
        let here = |ip: &str| is_here(ip.parse().unwrap());
        assert!(here("127.0.0.1") && here("127.9.9.9") && here("::1") && here("::ffff:127.0.0.1"));
        assert!(!here("10.0.0.1") && !here("192.168.1.1") && !here("fe80::1") && !here("::ffff:10.0.0.1"));
    }
}
