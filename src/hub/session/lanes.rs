//! The lanes of a home's edges: each is a sink of the home's relay, asked for, dropped and ended by what its edge
//! says. It refuses to know what becomes of the bytes there.

use super::Output;
use super::home::EdgeLane;
use super::machine::{Role, Session};
use super::words::Link;
use crate::protocol::node::NodeId;
use crate::protocol::{ErrorCode, MemberId, Moment};
use crate::relay::{self, SinkId};
use crate::transfer;

impl Session {
    pub(super) fn is_seated_at_an_edge(&self, member: &MemberId) -> bool {
        let Role::Home(home) = &self.role else { return false };
        let mut seats = home.edges.values().flat_map(|edge| &edge.facts.seats);
        seats.any(|seat| seat.member == *member && seat.link == Link::Up)
    }

    /// The edge that a sink of the relay is a lane of.
    pub(super) fn edge_of(&self, sink: SinkId) -> Option<NodeId> {
        let Role::Home(home) = &self.role else { return None };
        home.lanes.iter().find(|lane| lane.sink == sink).map(|lane| lane.node)
    }

    /// The sinks that are lanes of edges.
    pub(super) fn edge_sinks(&self) -> impl Iterator<Item = SinkId> {
        let lanes = match &self.role {
            Role::Home(home) => home.lanes.as_slice(),
            Role::Edge(_) => &[],
        };
        lanes.iter().map(|lane| lane.sink)
    }

    pub(super) fn pull_by_edge(&mut self, now: Moment, node: NodeId, lane: u64, from: u64, limit: u64) {
        let one_lane = self.relay.is_one_lane();
        let Role::Home(home) = &mut self.role else { return };
        home.edges.entry(node).or_default();
        let known =
            home.lanes.iter_mut().find(|known| known.node == node && (one_lane || known.lane == lane));
        let sink = match known {
            Some(known) if lane < known.lane => return,
            Some(known) => {
                known.lane = lane;
                known.sink
            }
            None => {
                let sink = self.new_sink();
                self.steer_relay(now, relay::Input::SinkUp(sink));
                if let Role::Home(home) = &mut self.role {
                    home.lanes.push(EdgeLane { node, lane, sink });
                }
                sink
            }
        };
        if self.relay.handle(now, relay::Input::Pull { sink, lane, from, limit }).is_err() {
            // It says that it has more than it was sent: what was known of the lane is wrong.
            self.steer_relay(now, relay::Input::SinkGone(sink));
            self.steer_relay(now, relay::Input::SinkUp(sink));
            let _ = self.relay.handle(now, relay::Input::Pull { sink, lane, from, limit });
        }
    }

    pub(super) fn stop_by_edge(&mut self, now: Moment, node: NodeId, lane: u64) {
        // The one lane of a source that cannot go back is asked for again under another number: its place
        // is kept until the edge says that it has no lane at all.
        if !self.relay.is_one_lane() {
            self.drop_lanes(now, |known| known.node == node && known.lane == lane);
        }
    }

    /// An edge that cannot be reached must not hold others back. It asks again when it can; one whose source
    /// cannot go back keeps its place.
    pub(super) fn let_go_of_lanes(&mut self, now: Moment, node: NodeId) {
        if !self.relay.is_one_lane() {
            self.drop_lanes(now, |lane| lane.node == node);
        }
    }

    pub(super) fn drop_lanes(&mut self, now: Moment, which: impl Fn(&EdgeLane) -> bool) {
        let Role::Home(home) = &mut self.role else { return };
        let dropped: Vec<_> = home.lanes.extract_if(.., |lane| which(lane)).collect();
        for lane in dropped {
            self.outputs.retain(|output| !matches!(output, Output::Chunk { sink, .. } if *sink == lane.sink));
            self.steer_relay(now, relay::Input::SinkGone(lane.sink));
        }
    }

    /// The relay cannot serve a lane of an edge any more: nobody who sits there can go on.
    pub(super) fn end_edge_lane(&mut self, now: Moment, sink: SinkId, error: ErrorCode) {
        let Some(node) = self.edge_of(sink) else { return };
        self.drop_lanes(now, |lane| lane.sink == sink);
        let Role::Home(home) = &self.role else { return };
        let Some(edge) = home.edges.get(&node) else { return };
        let seated: Vec<_> = edge.facts.seats.iter().map(|seat| (seat.member.clone(), seat.link)).collect();
        for (member, link) in seated {
            self.end_receiver_at(now, Some(node), member, link, error);
        }
    }

    /// A receiver cannot go on at an edge, or here. One that left there and sits elsewhere by now goes on.
    pub(super) fn end_receiver_at(
        &mut self,
        now: Moment,
        node: Option<NodeId>,
        member: MemberId,
        link: Link,
        error: ErrorCode,
    ) {
        let Role::Home(home) = &self.role else { return };
        let may_have_left = link == Link::Lost || error == ErrorCode::TooSlow;
        let edges = home.edges.iter().filter(|(other, _)| Some(**other) != node);
        let at_edges = edges.flat_map(|(_, edge)| &edge.facts.seats).map(|seat| (&seat.member, seat.link));
        let here = self.seats.iter().map(|seat| (&seat.member, seat.link));
        if !(may_have_left && here.chain(at_edges).any(|(who, link)| *who == member && link == Link::Up)) {
            let _ = self.tell(now, transfer::Input::SinkEnded { member, error });
        }
    }

    /// An edge is gone, and its sinks with it.
    pub(super) fn lose_edge(&mut self, now: Moment, node: NodeId) {
        let Role::Home(home) = &mut self.role else { return };
        let Some(edge) = home.edges.remove(&node) else { return };
        self.drop_lanes(now, |lane| lane.node == node);
        for seat in edge.facts.seats.into_iter().filter(|seat| seat.link == Link::Up) {
            let _ = self.tell_if_last_sink(now, seat.member);
        }
    }
}
