//! This node's own entries on their way into a room's log: in order, bounded, each known until it came back.
//! It exists so that nothing is lost while the service between the nodes is away, and nothing appended in
//! vain: progress that nobody read yet gives way to newer progress. It sends nothing itself.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::protocol::rooms::Status;
use crate::room::{Entry, Input, PeerId};

/// Entries that may wait, at most; what a person says beyond it is refused with `overloaded`.
const MOST_ENTRIES: usize = 4096;
/// Bytes of entries that may wait, at most; beyond it likewise.
const MOST_BYTES: usize = 16 << 20;
/// Entries of one append, at most.
const BATCH_ENTRIES: usize = 64;
/// Bytes of one append, at most; an entry that is larger goes alone.
const BATCH_BYTES: usize = 256 << 10;
/// Entries that came back and are remembered, in case the service forgets them; at most.
const REMEMBERED: usize = 256;
/// Bytes of them, at most.
const REMEMBERED_BYTES: usize = 1 << 20;

/// The entries. `T` is what is owed for one.
#[derive(Debug)]
pub(super) struct Queue<T> {
    entries: VecDeque<Own<T>>,
    bytes: usize,
    /// How many from the front the service was given.
    given: usize,
    remembered: VecDeque<(u64, Bytes)>,
    remembered_bytes: usize,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Own<T> {
    pub(super) entry: Entry,
    bytes: Bytes,
    way: Way,
    pub(super) showing: Showing<T>,
}

/// Whether an entry may stand in the log already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Never,
    Perhaps,
}

/// Whether people here know of it.
#[derive(Debug)]
pub(super) enum Showing<T> {
    /// They will when it comes back; this is owed then.
    Owed(T),
    /// They were told, and it was answered.
    Shown,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            given: 0,
            remembered: VecDeque::new(),
            remembered_bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether what a person says has to be refused.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MOST_ENTRIES || self.bytes >= MOST_BYTES
    }

    /// Puts an entry behind all others. What could not be written is dropped, and what was owed with it.
    pub(super) fn push(&mut self, entry: Entry, showing: Showing<T>) {
        if let Some(bytes) = entry.write() {
            self.bytes += bytes.len();
            self.entries.push_back(Own { entry, bytes, way: Way::Never, showing });
        }
    }

    /// Puts a status behind all others, or into the place of one that says the same but for progress. When
    /// full, into the place of any of its transfer that may be replaced.
    pub(super) fn push_status(&mut self, entry: Entry, showing: Showing<T>) {
        let Input::Status(status) = &entry.input else { return self.push(entry, showing) };
        let full = self.is_full();
        let newest = self.entries.iter_mut().rev().find_map(|own| match &own.entry.input {
            Input::Status(waits) if waits.transfer == status.transfer => {
                let gives_way = own.way == Way::Never && (full || differ_in_progress_alone(waits, status));
                Some(gives_way.then_some(own))
            }
            _ => None,
        });
        let Some(own) = newest.flatten() else { return self.push(entry, showing) };
        let entry = Entry { count: own.entry.count, ..entry };
        if let Some(bytes) = entry.write() {
            self.bytes = self.bytes - own.bytes.len() + bytes.len();
            *own = Own { entry, bytes, way: Way::Never, showing };
        }
    }

    /// The next entries to append; they count as given.
    pub(super) fn next_batch(&mut self) -> Vec<Bytes> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for own in self.entries.iter_mut().skip(self.given).take(BATCH_ENTRIES) {
            bytes += own.bytes.len();
            if !batch.is_empty() && bytes > BATCH_BYTES {
                break;
            }
            own.way = Way::Perhaps;
            batch.push(own.bytes.clone());
        }
        self.given += batch.len();
        batch
    }

    /// Whether the service was given entries that did not come back yet.
    pub(super) fn has_given(&self) -> bool {
        self.given > 0
    }

    /// What was given may not have arrived: all of it is to be given again.
    pub(super) fn give_again(&mut self) {
        self.given = 0;
    }

    /// An entry came back. It is remembered for a while.
    pub(super) fn take(&mut self, count: u64) -> Option<Own<T>> {
        let mut taken = None;
        while self.entries.front().is_some_and(|own| own.entry.count <= count) {
            let Some(own) = self.entries.pop_front() else { break };
            self.bytes -= own.bytes.len();
            self.given = self.given.saturating_sub(1);
            self.remember(own.entry.count, own.bytes.clone());
            taken = (own.entry.count == count).then_some(own);
        }
        taken
    }

    fn remember(&mut self, count: u64, bytes: Bytes) {
        self.remembered_bytes += bytes.len();
        self.remembered.push_back((count, bytes));
        while self.remembered.len() > REMEMBERED || self.remembered_bytes > REMEMBERED_BYTES {
            let Some((_, bytes)) = self.remembered.pop_front() else { return };
            self.remembered_bytes -= bytes.len();
        }
    }

    /// An entry that came back, and was refused, is not to be said to another log.
    pub(super) fn forget(&mut self, count: u64) {
        if let Some((_, bytes)) = self.remembered.pop_back_if(|(known, _)| *known == count) {
            self.remembered_bytes -= bytes.len();
        }
    }

    /// The log is another one, which has this node's entries up to `count`: those are done, and those after
    /// it are to be appended, also such as had come back.
    pub(super) fn continue_after(&mut self, count: u64) {
        self.take(count);
        self.given = 0;
        while self.remembered.back().is_some_and(|(known, _)| *known > count) {
            let Some((_, bytes)) = self.remembered.pop_back() else { break };
            self.remembered_bytes -= bytes.len();
            if let Some(entry) = Entry::read(&bytes) {
                self.bytes += bytes.len();
                let own = Own { entry, bytes, way: Way::Perhaps, showing: Showing::Shown };
                self.entries.push_front(own);
            }
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Own<T>> {
        self.entries.iter()
    }

    /// The first entry that people here do not know of yet, and what is owed for it; from now on they do.
    pub(super) fn show_next(&mut self) -> Option<(Entry, T)> {
        self.entries.iter_mut().find_map(|own| match std::mem::replace(&mut own.showing, Showing::Shown) {
            Showing::Owed(owed) => Some((own.entry.clone(), owed)),
            Showing::Shown => None,
        })
    }

    /// The number of the first that people here do not know of yet.
    pub(super) fn first_owed(&self) -> Option<u64> {
        let own = self.entries.iter().find(|own| matches!(own.showing, Showing::Owed(_)))?;
        Some(own.entry.count)
    }

    /// The number of the last of this link's that people here do not know of yet.
    pub(super) fn last_owed_to(&self, peer: PeerId) -> Option<u64> {
        let is_its = |own: &&Own<T>| {
            matches!(own.showing, Showing::Owed(_)) && peer_of(&own.entry.input) == Some(peer)
        };
        self.entries.iter().rev().find(is_its).map(|own| own.entry.count)
    }
}

/// Whose word an input is, if a link's.
pub(super) fn peer_of(input: &Input) -> Option<PeerId> {
    match input {
        Input::Join { peer, .. }
        | Input::Leave { peer }
        | Input::Lost { peer }
        | Input::Say { peer, .. }
        | Input::Offer { peer, .. }
        | Input::Pick { peer, .. }
        | Input::Steer { peer, .. } => Some(*peer),
        Input::Rules(_)
        | Input::NodeLost { .. }
        | Input::Status(_)
        | Input::Restore(_)
        | Input::OfferStored(_)
        | Input::Gone { .. }
        | Input::Tick => None,
    }
}

fn differ_in_progress_alone(one: &Status, other: &Status) -> bool {
    let receivers = |status: &Status| -> Vec<_> {
        status.receivers.iter().map(|receiver| (receiver.member.clone(), receiver.state)).collect()
    };
    (one.state, one.size, one.error, &one.copy) == (other.state, other.size, other.error, &other.copy)
        && receivers(one) == receivers(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::node::NodeId;
    use crate::protocol::{Moment, TransferId, TransferState};

    fn entry(count: u64, input: Input) -> Entry {
        Entry { author: NodeId(1), count, now: Moment::default(), input }
    }

    fn status(sent: u64, state: TransferState) -> Input {
        Input::Status(Box::new(Status {
            transfer: TransferId::from_random(1),
            state,
            size: None,
            sent,
            receivers: Vec::new(),
            bytes_per_second: 0,
            eta_seconds: None,
            error: None,
            copy: None,
        }))
    }

    fn push(queue: &mut Queue<()>, count: u64, input: Input) {
        queue.push_status(entry(count, input), Showing::Owed(()));
    }

    fn sent(queue: &Queue<()>) -> Vec<(u64, u64)> {
        let of = |own: &Own<()>| match &own.entry.input {
            Input::Status(status) => (own.entry.count, status.sent),
            _ => (own.entry.count, 0),
        };
        queue.iter().map(of).collect()
    }

    #[test]
    fn progress_that_waits_gives_way_to_newer_progress_and_a_change_of_state_does_not() {
        let mut queue = Queue::new();
        push(&mut queue, 1, status(10, TransferState::Active));
        push(&mut queue, 2, status(20, TransferState::Active));
        assert_eq!(sent(&queue), [(1, 20)]);
        push(&mut queue, 3, status(20, TransferState::Paused));
        push(&mut queue, 4, status(30, TransferState::Active));
        push(&mut queue, 5, status(40, TransferState::Active));
        assert_eq!(sent(&queue), [(1, 20), (3, 20), (4, 40)]);
    }

    #[test]
    fn what_may_stand_in_the_log_is_not_replaced() {
        let mut queue = Queue::new();
        push(&mut queue, 1, status(10, TransferState::Active));
        assert_eq!(queue.next_batch().len(), 1);
        queue.give_again();
        push(&mut queue, 2, status(20, TransferState::Active));
        assert_eq!(sent(&queue), [(1, 10), (2, 20)]);
    }

    #[test]
    fn batches_go_in_order_and_are_bounded() {
        let mut queue = Queue::<()>::new();
        for count in 1..=BATCH_ENTRIES as u64 + 1 {
            queue.push(entry(count, Input::Tick), Showing::Shown);
        }
        assert_eq!((queue.next_batch().len(), queue.next_batch().len()), (BATCH_ENTRIES, 1));
        assert!(queue.next_batch().is_empty());
        queue.give_again();
        assert_eq!(queue.next_batch().len(), BATCH_ENTRIES);
    }

    #[test]
    fn a_log_that_forgot_what_had_come_back_is_given_it_again_in_order() {
        let mut queue = Queue::<()>::new();
        for count in 1..=5 {
            queue.push(entry(count, Input::Tick), Showing::Shown);
        }
        queue.next_batch();
        assert!((1..=3).all(|count| queue.take(count).is_some()));
        queue.continue_after(1);
        assert_eq!(sent(&queue).iter().map(|(count, _)| *count).collect::<Vec<_>>(), [2, 3, 4, 5]);
        queue.continue_after(4);
        assert_eq!(sent(&queue), [(5, 0)]);
    }

    #[test]
    fn what_was_refused_is_not_given_to_another_log() {
        let mut queue = Queue::<()>::new();
        for count in 1..=3 {
            queue.push(entry(count, Input::Tick), Showing::Shown);
        }
        queue.next_batch();
        assert!((1..=2).all(|count| queue.take(count).is_some()));
        queue.forget(2);
        queue.forget(2);
        queue.continue_after(0);
        assert_eq!(sent(&queue), [(1, 0), (3, 0)]);
    }

    #[test]
    fn it_is_bounded() {
        let mut queue = Queue::<()>::new();
        for count in 1..=MOST_ENTRIES as u64 {
            assert!(!queue.is_full());
            queue.push(entry(count, Input::Tick), Showing::Shown);
        }
        assert!(queue.is_full());
        push(&mut queue, 9000, status(1, TransferState::Active));
        push(&mut queue, 9001, status(1, TransferState::Paused));
        assert_eq!(queue.iter().count(), MOST_ENTRIES + 1, "of a transfer that changes, one place is taken");
    }
}
