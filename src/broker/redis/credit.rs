//! How many bytes of chunks are on their way to one node. Redis cuts off whoever it holds too much for, so
//! a sender holds itself to a limit, and learns by counters what arrived. Every chunk carries how many bytes
//! went before it, so a lost answer, or a lost chunk that another one follows, costs nothing.

use std::collections::VecDeque;

/// Inboxes of a node. All nodes must agree on it: it is part of the version of the frames.
pub(super) const INBOXES: usize = 4;
/// Chunks on their way to one inbox, at most, however small.
const CHUNKS: usize = 4096;
/// Bytes on their way to one node from all others together, about.
const NODE: u64 = 6 << 20;
/// Bytes that one may have on their way to another in any case.
const LEAST: u64 = 1 << 20;

/// Bytes that one node may have on their way to another, among so many nodes.
pub(super) fn limit(nodes: usize) -> u64 {
    let others = u64::try_from(nodes).unwrap_or(u64::MAX).saturating_sub(1).max(1);
    (NODE / others).max(LEAST)
}

/// What is on its way to one node.
#[derive(Debug, Default)]
pub(super) struct Credit {
    flows: [Flow; INBOXES],
    in_flight: u64,
    /// Somebody was refused, and waits to hear of room.
    is_wanted: bool,
}

#[derive(Debug, Default)]
struct Flow {
    sent: u64,
    /// Where each chunk on its way ends, and its size.
    open: VecDeque<(u64, u64)>,
}

impl Credit {
    /// Takes room for a chunk. `None`, when there is none now; else what the chunk carries as its counter.
    /// What is larger than the limit goes when nothing else is on its way.
    pub(super) fn take(&mut self, inbox: usize, size: u64, limit: u64) -> Option<u64> {
        let is_full = self.in_flight > 0 && self.in_flight + size > limit;
        let flow = self.flows.get_mut(inbox).filter(|flow| !is_full && flow.open.len() < CHUNKS);
        let Some(flow) = flow else {
            self.is_wanted = true;
            return None;
        };
        flow.sent += size;
        flow.open.push_back((flow.sent, size));
        self.in_flight += size;
        Some(flow.sent)
    }

    /// Everything up to `counter` arrived, or is lost.
    pub(super) fn arrived(&mut self, inbox: usize, counter: u64) {
        let Some(flow) = self.flows.get_mut(inbox) else { return };
        while let Some((_, size)) = flow.open.pop_front_if(|(end, _)| *end <= counter) {
            self.in_flight -= size;
        }
    }

    /// The chunk that carries `counter` reached nobody.
    pub(super) fn lost(&mut self, inbox: usize, counter: u64) {
        let Some(flow) = self.flows.get_mut(inbox) else { return };
        if let Ok(at) = flow.open.binary_search_by_key(&counter, |(end, _)| *end)
            && let Some((_, size)) = flow.open.remove(at)
        {
            self.in_flight -= size;
        }
    }

    /// Nothing is on its way any more: the other node's inbox broke.
    pub(super) fn forget(&mut self) {
        self.flows.iter_mut().for_each(|flow| flow.open.clear());
        self.in_flight = 0;
    }

    /// Somebody was refused for another reason, and waits too.
    pub(super) fn refused(&mut self) {
        self.is_wanted = true;
    }

    /// Whether somebody waits, and there is room again. Says so once.
    pub(super) fn has_room_again(&mut self, limit: u64) -> bool {
        let has_room = self.is_wanted && self.in_flight <= limit / 2;
        self.is_wanted &= !has_room;
        has_room
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limit_is_shared_among_the_senders_and_never_nothing() {
        assert_eq!([0, 1, 2, 4, 7, 1000].map(limit), [6 << 20, 6 << 20, 6 << 20, 2 << 20, 1 << 20, 1 << 20]);
    }

    #[test]
    fn what_is_larger_than_the_limit_goes_alone() {
        let mut credit = Credit::default();
        assert_eq!(credit.take(0, 5 << 20, 1 << 20), Some(5 << 20));
        assert_eq!(credit.take(1, 1, 1 << 20), None);
        credit.arrived(0, 5 << 20);
        assert!(credit.has_room_again(1 << 20) && !credit.has_room_again(1 << 20));
        assert_eq!(credit.take(1, 1, 1 << 20), Some(1));
    }

    #[test]
    fn a_lost_chunk_that_another_follows_costs_nothing() {
        let mut credit = Credit::default();
        let counters = [10, 20, 30].map(|size| credit.take(2, size, 100).unwrap());
        credit.lost(2, counters[0]);
        credit.arrived(2, counters[2]);
        assert_eq!(credit.in_flight, 0);
        credit.lost(2, counters[1]);
        assert_eq!(credit.in_flight, 0);
    }

    proptest! {
        #[test]
        fn in_flight_is_what_is_open_and_never_above_the_limit(
            steps in proptest::collection::vec((0_u8..5, 0..INBOXES, 1_u64..2000), 0..200)
        ) {
            let mut credit = Credit::default();
            let mut counters = [vec![], vec![], vec![], vec![]];
            for (step, inbox, size) in steps {
                let known = &mut counters[inbox];
                match step {
                    0..2 => known.extend(credit.take(inbox, size, 4000)),
                    2 => credit.arrived(inbox, size * 3),
                    3 if !known.is_empty() => credit.lost(inbox, known[usize::try_from(size).unwrap() % known.len()]),
                    3 => {}
                    _ if size < 50 => credit.forget(),
                    _ => {}
                }
                let open: u64 = credit.flows.iter().flat_map(|flow| &flow.open).map(|(_, size)| size).sum();
                prop_assert_eq!(credit.in_flight, open);
                prop_assert!(open <= 4000);
            }
        }
    }
}
