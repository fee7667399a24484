//! When an upload is over, and how: decided from what is known, without waiting for any of it. It exists so
//! that whoever types `curl -T` always gets an answer; it refuses to end what someone may still take.

use std::time::Duration;

use tokio::time::Instant;

use super::view::{Asked, View};
use crate::protocol::rooms::{CopyState, Status};
use crate::protocol::{ErrorCode, MemberId, ReceiverState, Refusal, TransferState};

/// How an upload stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Open,
    /// Everyone who accepted has all of it.
    Delivered,
    /// It is over without that.
    Over(Refusal),
}

/// Whether bytes are waited for that its sender has not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// They were asked for, and none is at hand.
    Owed,
    /// None was asked for, or some are at hand, or there are no more.
    NotOwed,
}

/// What is remembered from one look to the next.
#[derive(Debug)]
pub(super) struct Judge {
    /// The sender itself.
    me: MemberId,
    /// How long nothing may move, while someone waits for it.
    patience: Duration,
    still_since: Option<Instant>,
}

impl Judge {
    pub(super) fn new(me: MemberId, patience: Duration) -> Self {
        Self { me, patience, still_since: None }
    }

    /// Judges what is known at `now`.
    pub(super) fn look(&mut self, now: Instant, view: &View, body: Body) -> Fate {
        let status = view.status.as_deref().map(|envelope| &envelope.data);
        let state = status.map_or(TransferState::Offered, |status| status.state);
        let copy = status.and_then(|status| status.copy.as_ref()).map(|copy| copy.state);
        // A copy is no receiver: that it waits for bytes shows in no state.
        let is_copy_waiting = copy == Some(CopyState::Storing) && body == Body::Owed;
        let is_still = state == TransferState::Suspended || is_copy_waiting;
        self.still_since = is_still.then(|| self.still_since.unwrap_or(now));
        match status {
            Some(status) if state == TransferState::Failed => {
                return Fate::Over(status.error.unwrap_or(ErrorCode::Internal).into());
            }
            _ if state == TransferState::Cancelled => {
                return over(ErrorCode::TransferClosed, "It was cancelled.");
            }
            // Whoever is not done yet, and whoever comes, has it from the copy.
            _ if copy == Some(CopyState::Stored) => return Fate::Delivered,
            // The copy takes it, whatever people do.
            _ if copy == Some(CopyState::Storing) => {}
            _ if state == TransferState::Complete => return Fate::Delivered,
            Some(status) if self.has_everyone_said_no(status, view) => {
                return match status.sent {
                    0 => Fate::Over(ErrorCode::Rejected.into()),
                    _ => over(ErrorCode::TransferClosed, "Everyone who accepted has given up; ask them."),
                };
            }
            Some(status) if has_everyone_left(status, view) => {
                return over(
                    ErrorCode::TransferClosed,
                    "Everyone who accepted has left; offer it again when they are back.",
                );
            }
            _ => {}
        }
        // Where the transfer has ended, that says more than what was refused since.
        if let Some(refusal) = &view.refused {
            return Fate::Over(refusal.clone());
        }
        if view.asked == Asked::Closed {
            return over(ErrorCode::Overloaded, "The server is ending; send it again in a moment.");
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            return over(
                ErrorCode::TooSlow,
                "Nothing has moved for longer than this server waits; send it again.",
            );
        }
        Fate::Open
    }

    /// When to look again, if nothing is new before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.still_since.map(|since| since + self.patience)
    }

    /// Whether nobody who has the offer, or is in the room and might take it, has not said no.
    fn has_everyone_said_no(&self, status: &Status, view: &View) -> bool {
        let is_no = |state| {
            matches!(state, ReceiverState::Rejected | ReceiverState::Cancelled | ReceiverState::Failed)
        };
        let has_answered = |member: &MemberId| status.receivers.iter().any(|one| one.member == *member);
        !status.receivers.is_empty()
            && status.receivers.iter().all(|one| is_no(one.state))
            && view.present.keys().all(|member| *member == self.me || has_answered(member))
    }
}

/// Whether all that are owed bytes of what has begun are away and have left the room: they return as others.
fn has_everyone_left(status: &Status, view: &View) -> bool {
    let is_owed = |state| {
        use ReceiverState::{Accepted, Away, Paused, Receiving};
        matches!(state, Accepted | Receiving | Paused | Away)
    };
    let mut owed = status.receivers.iter().filter(|one| is_owed(one.state)).peekable();
    status.sent > 0
        && owed.peek().is_some()
        && owed.all(|one| one.state == ReceiverState::Away && !view.present.contains_key(&one.member))
}

fn over(code: ErrorCode, sentence: &str) -> Fate {
    Fate::Over(Refusal::new(code, sentence))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ReceiverState::{Accepted, Away, Complete, Invited, Receiving, Rejected};

    use super::*;
    use crate::protocol::rooms::{Receiver, StoredCopy};
    use crate::protocol::{DisplayName, Envelope, Moment, TransferId};
    use crate::room::envelope;

    const PATIENCE: Duration = Duration::from_secs(3600);

    fn member(name: &str) -> MemberId {
        MemberId::new(name).unwrap()
    }

    fn status(state: TransferState, sent: u64, receivers: &[(&str, ReceiverState)]) -> Arc<Envelope<Status>> {
        let receiver = |(name, state): &(&str, ReceiverState)| Receiver {
            member: member(name),
            state: *state,
            received: 0,
        };
        Arc::new(envelope(Status {
            transfer: TransferId::new("t").unwrap(),
            state,
            size: None,
            sent,
            receivers: receivers.iter().map(receiver).collect(),
            bytes_per_second: 0,
            eta_seconds: None,
            error: (state == TransferState::Failed).then_some(ErrorCode::Expired),
            copy: None,
        }))
    }

    fn view(present: &[&str], status: Option<Arc<Envelope<Status>>>) -> View {
        let name = DisplayName::new("x").unwrap();
        let present = present.iter().map(|who| (member(who), name.clone())).collect();
        View { present, status, ..View::default() }
    }

    fn look(present: &[&str], state: TransferState, sent: u64, receivers: &[(&str, ReceiverState)]) -> Fate {
        let view = view(present, Some(status(state, sent, receivers)));
        Judge::new(member("me"), PATIENCE).look(Instant::now(), &view, Body::NotOwed)
    }

    fn code(fate: &Fate) -> Option<ErrorCode> {
        match fate {
            Fate::Over(refusal) => Some(refusal.code),
            Fate::Open | Fate::Delivered => None,
        }
    }

    #[test]
    fn it_goes_on_while_anyone_may_still_take_it() {
        use TransferState::{Active, Offered, Suspended};
        let mut judge = Judge::new(member("me"), PATIENCE);
        assert_eq!(
            judge.look(Instant::now(), &view(&["me"], None), Body::NotOwed),
            Fate::Open,
            "nobody is there yet"
        );
        for (present, state, sent, receivers) in [
            (vec!["me", "a"], Offered, 0, vec![("a", Invited)]),
            (vec!["me", "a", "b"], Offered, 0, vec![("a", Rejected)]),
            (vec!["me", "a"], Active, 5, vec![("a", Receiving)]),
            (vec!["me", "a"], Suspended, 5, vec![("a", Away)]),
            (vec!["me"], Suspended, 0, vec![("a", Away)]),
            (vec!["me"], Active, 5, vec![("a", Away), ("b", Accepted)]),
        ] {
            assert_eq!(look(&present, state, sent, &receivers), Fate::Open, "{receivers:?}");
        }
    }

    #[test]
    fn each_end_has_its_own_answer() {
        use TransferState::{Cancelled, Failed, Offered, Suspended};
        let delivered = look(&["me"], TransferState::Complete, 5, &[("a", Complete), ("b", Rejected)]);
        assert_eq!(delivered, Fate::Delivered);
        for (expected, fate) in [
            (ErrorCode::Rejected, look(&["me", "a"], Offered, 0, &[("a", Rejected)])),
            (ErrorCode::TransferClosed, look(&["me", "a"], Offered, 5, &[("a", Rejected)])),
            (ErrorCode::TransferClosed, look(&["me"], Suspended, 5, &[("a", Away), ("b", Rejected)])),
            (ErrorCode::TransferClosed, look(&["me"], Cancelled, 5, &[])),
            (ErrorCode::Expired, look(&["me", "a"], Failed, 5, &[("a", Receiving)])),
        ] {
            assert_eq!(code(&fate), Some(expected));
        }
        let closed = View { asked: Asked::Closed, ..view(&["me"], None) };
        let fate = Judge::new(member("me"), PATIENCE).look(Instant::now(), &closed, Body::NotOwed);
        assert_eq!(code(&fate), Some(ErrorCode::Overloaded));
    }

    #[test]
    fn what_is_kept_is_over_when_its_copy_is_stored_and_not_before() {
        use TransferState::{Complete as Done, Offered};
        for (copy, state, receivers, expected) in [
            (StoredCopy::storing(), Offered, ("a", Rejected), Fate::Open),
            (StoredCopy::storing(), Done, ("a", Complete), Fate::Open),
            (StoredCopy::stored(Moment::default()), Offered, ("a", Rejected), Fate::Delivered),
            (StoredCopy::failed(ErrorCode::StorageFull), Done, ("a", Complete), Fate::Delivered),
        ] {
            let mut status = Arc::unwrap_or_clone(status(state, 5, &[receivers]));
            status.data.copy = Some(copy);
            let view = view(&["me", "a"], Some(Arc::new(status)));
            assert_eq!(
                Judge::new(member("me"), PATIENCE).look(Instant::now(), &view, Body::NotOwed),
                expected
            );
        }
    }

    #[test]
    fn a_body_that_its_copy_waits_for_is_borne_for_the_patience_and_no_longer() {
        let mut storing = Arc::unwrap_or_clone(status(TransferState::Offered, 5, &[]));
        storing.data.copy = Some(StoredCopy::storing());
        let view = view(&["me"], Some(Arc::new(storing)));
        let mut judge = Judge::new(member("me"), PATIENCE);
        let start = Instant::now();
        assert_eq!(judge.look(start, &view, Body::Owed), Fate::Open);
        let late = start + PATIENCE;
        assert_eq!(judge.look(late, &view, Body::NotOwed), Fate::Open, "bytes came");
        assert_eq!(judge.look(late, &view, Body::Owed), Fate::Open);
        assert_eq!(judge.deadline(), Some(late + PATIENCE));
        assert_eq!(code(&judge.look(late + PATIENCE, &view, Body::Owed)), Some(ErrorCode::TooSlow));
    }

    #[test]
    fn what_does_not_move_is_borne_for_the_patience_and_no_longer() {
        let mut judge = Judge::new(member("me"), PATIENCE);
        let still = view(&["me", "a"], Some(status(TransferState::Suspended, 5, &[("a", Away)])));
        let moving = view(&["me", "a"], Some(status(TransferState::Active, 5, &[("a", Receiving)])));
        let began = Instant::now();
        assert_eq!(judge.look(began, &still, Body::NotOwed), Fate::Open);
        assert_eq!(judge.deadline(), Some(began + PATIENCE));
        assert_eq!(judge.look(began + PATIENCE / 2, &moving, Body::NotOwed), Fate::Open);
        assert_eq!(judge.deadline(), None);
        assert_eq!(judge.look(began + PATIENCE, &still, Body::NotOwed), Fate::Open, "it moved meanwhile");
        assert_eq!(code(&judge.look(began + PATIENCE * 2, &still, Body::NotOwed)), Some(ErrorCode::TooSlow));
    }
}
