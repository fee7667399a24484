//! Where a request goes: decided from its address, its headers and the nodes that live, without doing any
//! of it. It exists so that every case can be tested by itself; it refuses to name a node that is not
//! registered, whatever the request says.

use http::{HeaderMap, HeaderName, Method, Request, Uri, header};

use super::super::compat::Words;
use crate::protocol::node::{Node, NodeId};

/// On a request that a node has handed on, with that node's name: it goes no further. Whoever sends it
/// himself is only refused what this node does not have.
pub(super) const FORWARDED_BY: HeaderName = HeaderName::from_static("roomdrop-forwarded-by");

/// Where the Socket.IO service below listens.
const ENGINE: &str = "/socket.io";

/// What tells whether this node lives, and is asked until its end.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Between a node's name and the session's id. It can stand in neither, and needs no escape in a query.
const POINT: char = '.';

/// What is known of the nodes at the moment of a request.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// This node.
    pub(super) me: &'a Node,
    /// All that live.
    pub(super) nodes: &'a [Node],
    /// Whether this node takes nothing new.
    pub(super) is_leaving: bool,
    /// The others that take nothing new.
    pub(super) leaving: &'a [NodeId],
    /// Any number: which of the other nodes gets what this one no longer takes.
    pub(super) lot: usize,
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the service below.
    Here(Here),
    /// Past it.
    There(There),
}

/// What the service below gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Here {
    /// The request as it is.
    AsItIs,
    /// The same; the answer gives out a sid, which gets this node's name.
    Handshake,
    /// This address: its sid is without the node's name. `by` is the node that has handed it on, if it is a
    /// poll, which waits.
    Own {
        /// The address.
        uri: Uri,
        /// A name, as the request says it.
        by: Option<String>,
    },
}

/// Who answers instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum There {
    /// The node that has the session.
    Session(Node),
    /// A node that stays: the request begins something, and this one is leaving.
    Stays(Node),
    /// Nobody now: it is a poll of another node's session, which comes again, and this node is leaving.
    Later,
    /// Nobody yet: no node of that name was heard of. It may be new.
    Unheard,
    /// Nobody: it was handed on to the wrong node.
    Unknown,
    /// Nobody: this node is leaving, and none takes its place.
    Leaving,
}

impl Way {
    /// Decides.
    pub(super) fn of<B>(request: &Request<B>, scene: Scene<'_>) -> Self {
        let uri = request.uri();
        let words = if uri.path().starts_with(ENGINE) { Words::of(uri) } else { Words::default() };
        match words.sid.map(|sid| sid.split_once(POINT)) {
            Some(Some((name, sid))) if name == scene.me.name => Self::of_own(sid, request),
            Some(Some((name, _))) => Self::There(There::of_others(name, request, scene)),
            // It was given out by a node that gave no name, or by whatever was here before.
            Some(None) => Self::Here(Here::AsItIs),
            None => Self::of_new(uri, words, request.headers(), scene),
        }
    }

    fn of_own<B>(sid: &str, request: &Request<B>) -> Self {
        let Some(uri) = with_sid(request.uri(), sid) else { return Self::There(There::Unknown) };
        let by = request.headers().get(FORWARDED_BY).filter(|_| is_poll(request));
        Self::Here(Here::Own { uri, by: by.and_then(|name| Some(name.to_str().ok()?.to_owned())) })
    }

    fn of_new(uri: &Uri, words: Words<'_>, headers: &HeaderMap, scene: Scene<'_>) -> Self {
        if scene.is_leaving && !PROBES.contains(&uri.path()) {
            // A connection that outlives the request would end with this node.
            let may = !headers.contains_key(FORWARDED_BY) && !headers.contains_key(header::UPGRADE);
            let others: Vec<_> = if may { scene.staying().collect() } else { Vec::new() };
            return Self::There(match others.len() {
                0 => There::Leaving,
                count => There::Stays(others[scene.lot % count].clone()),
            });
        }
        let polls = words.transport == Some("polling");
        Self::Here(if polls { Here::Handshake } else { Here::AsItIs })
    }
}

impl There {
    fn of_others<B>(name: &str, request: &Request<B>, scene: Scene<'_>) -> Self {
        let was_handed_on = request.headers().contains_key(FORWARDED_BY);
        let Some(node) = scene.others().find(|node| node.name == name) else {
            return if was_handed_on { Self::Unknown } else { Self::Unheard };
        };
        if was_handed_on {
            Self::Unknown
        } else if scene.is_leaving && request.headers().contains_key(header::UPGRADE) {
            Self::Leaving
        } else if scene.is_leaving && is_poll(request) {
            Self::Later
        } else {
            Self::Session(node.clone())
        }
    }
}

/// Whether it waits for what comes.
fn is_poll<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && Words::of(request.uri()).transport == Some("polling")
}

impl<'a> Scene<'a> {
    /// The other nodes that can be reached.
    fn others(self) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.id != self.me.id && node.peer_url.is_some())
    }

    /// Those of them that take what is new.
    fn staying(self) -> impl Iterator<Item = &'a Node> {
        self.others().filter(move |node| !self.leaving.contains(&node.id))
    }
}

/// The address with `sid` in the place of the first sid in it.
fn with_sid(uri: &Uri, sid: &str) -> Option<Uri> {
    let mut is_first = true;
    let pairs = uri.query()?.split('&').map(|pair| {
        let is_it = pair.starts_with("sid=") && std::mem::take(&mut is_first);
        if is_it { format!("sid={sid}") } else { pair.to_owned() }
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{query}", uri.path()).parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// A sid as it is given out.
pub(super) fn named(name: &str, sid: &str) -> String {
    format!("{name}{POINT}{sid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u64, name: &str, reachable: bool) -> Node {
        let peer_url = reachable.then(|| format!("http://127.0.0.1:{number}"));
        Node { id: NodeId(number), name: name.to_owned(), peer_url }
    }

    struct Case {
        nodes: Vec<Node>,
        is_leaving: bool,
        others_leaving: Vec<NodeId>,
        headers: &'static [(&'static str, &'static str)],
    }

    impl Case {
        fn new() -> Self {
            let nodes = vec![node(1, "a", true), node(2, "b", true), node(3, "mute", false)];
            Self { nodes, is_leaving: false, others_leaving: Vec::new(), headers: &[] }
        }

        fn leaving(mut self) -> Self {
            self.is_leaving = true;
            self
        }

        fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
            self.headers = headers;
            self
        }

        /// The way as text, seen by the node `a`.
        fn way(&self, address: &str) -> String {
            let mut request = Request::builder().uri(address);
            for (name, value) in self.headers {
                request = request.header(*name, *value);
            }
            let request = request.body(()).unwrap();
            let (me, nodes, is_leaving) = (&self.nodes[0], &self.nodes, self.is_leaving);
            let scene = Scene { me, nodes, is_leaving, leaving: &self.others_leaving, lot: 5 };
            match Way::of(&request, scene) {
                Way::Here(Here::Own { uri, by: None }) => format!("own: {}", Words::of(&uri).sid.unwrap()),
                Way::Here(Here::Own { uri, by: Some(by) }) => {
                    format!("own: {}, by {by}", Words::of(&uri).sid.unwrap())
                }
                Way::Here(here) => format!("{here:?}"),
                Way::There(There::Session(node)) => format!("session at {}", node.name),
                Way::There(There::Stays(node)) => format!("stays at {}", node.name),
                Way::There(there) => format!("{there:?}"),
            }
        }
    }

    const FORWARDED: &[(&str, &str)] = &[("roomdrop-forwarded-by", "b")];
    const UPGRADE: &[(&str, &str)] = &[("upgrade", "websocket")];

    #[test]
    fn a_session_is_answered_where_it_is() {
        let case = Case::new();
        for (sid, way) in [
            ("a.XYZ", "own: XYZ"),
            ("a.X.Y", "own: X.Y"),
            ("XYZ", "AsItIs"),
            ("", "AsItIs"),
            ("b.XYZ", "session at b"),
            ("mute.XYZ", "Unheard"),
            ("gone.XYZ", "Unheard"),
            (".XYZ", "Unheard"),
            ("A.XYZ", "Unheard"),
            ("127.0.0.1:9", "Unheard"),
        ] {
            let address = format!("/socket.io/?EIO=4&transport=polling&sid={sid}&t=1");
            assert_eq!(case.way(&address), way, "{sid}");
        }
        assert_eq!(case.way("/socket.io/?EIO=4&transport=websocket&sid=b.X"), "session at b");
        assert_eq!(case.way("/transfers/t/content?sid=b.X"), "AsItIs");
    }

    #[test]
    fn what_was_handed_on_once_is_not_handed_on_again() {
        let case = Case::new().with(FORWARDED);
        assert_eq!(case.way("/socket.io/?EIO=4&transport=polling&sid=b.X"), "Unknown");
        assert_eq!(case.way("/socket.io/?EIO=4&transport=polling&sid=gone.X"), "Unknown");
        assert_eq!(case.way("/socket.io/?EIO=4&transport=polling&sid=a.X"), "own: X, by b");
        assert_eq!(case.way("/socket.io/?EIO=4&transport=websocket&sid=a.X"), "own: X");
        assert_eq!(case.way("/socket.io/?EIO=4&transport=polling"), "Handshake");
        assert_eq!(Case::new().leaving().with(FORWARDED).way("/"), "Leaving");
    }

    #[test]
    fn only_handshakes_by_polling_are_looked_into() {
        let case = Case::new();
        assert_eq!(case.way("/socket.io/?EIO=3&transport=polling"), "Handshake");
        assert_eq!(case.way("/socket.io/?EIO=4&transport=websocket"), "AsItIs");
        assert_eq!(case.way("/socket.io/"), "AsItIs");
        assert_eq!(case.way("/rooms/a?transport=polling"), "AsItIs");
    }

    #[test]
    fn a_leaving_node_keeps_its_sessions_and_hands_on_what_is_new() {
        let case = Case::new().leaving();
        for (address, way) in [
            ("/healthz", "AsItIs"),
            ("/readyz", "AsItIs"),
            ("/socket.io/?EIO=4&transport=polling&sid=a.X", "own: X"),
            ("/socket.io/?EIO=4&transport=polling&sid=b.X", "Later"),
            ("/socket.io/?EIO=4&transport=polling", "stays at b"),
            ("/transfers/t/content", "stays at b"),
        ] {
            assert_eq!(case.way(address), way, "{address}");
        }
    }

    #[test]
    fn a_leaving_node_begins_no_websocket_for_itself_or_others() {
        let case = Case::new().leaving().with(UPGRADE);
        assert_eq!(case.way("/socket.io/?EIO=4&transport=websocket"), "Leaving");
        assert_eq!(case.way("/socket.io/?EIO=4&transport=websocket&sid=b.X"), "Leaving");
    }

    #[test]
    fn a_node_that_leaves_alone_takes_nothing_new() {
        let mut case = Case::new().leaving();
        case.nodes.truncate(1);
        assert_eq!(case.way("/socket.io/?EIO=4&transport=polling"), "Leaving");
        case.nodes.push(node(3, "mute", false));
        assert_eq!(case.way("/"), "Leaving");
        case.nodes.push(node(4, "c", true));
        assert_eq!(case.way("/"), "stays at c");
        case.others_leaving.push(NodeId(4));
        assert_eq!(case.way("/"), "Leaving");
    }

    #[test]
    fn the_first_sid_is_replaced_and_nothing_else() {
        let uri = "/socket.io/?EIO=4&xsid=b&sid=a.X&sid=a.Y&t=%2e".parse().unwrap();
        assert_eq!(with_sid(&uri, "X").unwrap(), "/socket.io/?EIO=4&xsid=b&sid=X&sid=a.Y&t=%2e");
    }
}
