//! Clients are told to move: the connection under each session is cut, spread over a moment, so that they do
//! not all knock elsewhere at once. It exists because a client comes back by itself after a lost connection,
//! and never after a Socket.IO server has told it to go; so it refuses to say anything on the wire.

use std::collections::HashSet;
use std::time::Duration;

use socketioxide::SocketIo;
use tokio::time::Instant;

use super::Carrier;
use super::carrier::SocketRef;
use super::compat::Links;
use crate::protocol::{fetches, rooms, transfers};

/// Cuts every session, one after the other over `spread`, whatever carries it; at last those that came
/// meanwhile, and those that connected to no namespace yet.
pub async fn move_clients(io: &SocketIo<Carrier>, links: &Links, spread: Duration) {
    let sessions = sessions(io);
    let begun = Instant::now();
    let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
    for (number, socket) in (1..).zip(sessions) {
        cut(links, &socket);
        drop(socket);
        tokio::time::sleep_until(begun + spread * number / count).await;
    }
    for socket in self::sessions(io) {
        cut(links, &socket);
    }
    links.cut_all();
}

fn cut(links: &Links, socket: &SocketRef) {
    links.cut_session(socket.id.as_str(), socket.req_parts());
}

/// A socket of each session: one session may have several, each in a namespace.
fn sessions(io: &SocketIo<Carrier>) -> Vec<SocketRef> {
    let namespaces = ["/", rooms::NAMESPACE, transfers::NAMESPACE, fetches::NAMESPACE];
    let mut known = HashSet::new();
    let sockets = namespaces.into_iter().filter_map(|name| io.of(name)).flat_map(|of| of.sockets());
    sockets.filter(|socket| known.insert(socket.id)).collect()
}
