//! What people want decided: asked at some node, asked again elsewhere, and answered in keeping with the
//! record.

use roomdrop::hub::session::Decided;
use roomdrop::protocol::ErrorCode;
use roomdrop::protocol::node::NodeId;

use super::{Asked, FEW_TRIES, Happening, MOST_TRIES, World, index};
use crate::cluster::person::Person;
use crate::cluster::word::{Line, Request};
use crate::plan::{MILLI, Peer, SECOND};

impl World {
    pub fn ask(&mut self, peer: Peer, ask: Request) -> u64 {
        self.asked.push(Asked { peer, ask, node: None, is_answered: false });
        self.asked.len() as u64 - 1
    }

    pub fn send_ask(&mut self, number: u64) {
        let now = self.now;
        if self.asked[number as usize].is_answered
            || self.people[index(self.asked[number as usize].peer)].has_left
                && matches!(self.asked[number as usize].ask, Request::Accept(_))
        {
            return;
        }
        let Some(node) = self.some_node() else {
            return self.at(now + 100 * MILLI, Happening::Ask { number });
        };
        self.asked[number as usize].node = Some(node);
        let at = now + self.net.between(self.plan.lines.0, self.plan.lines.1);
        self.at(at, Happening::AskArrives { number, node });
    }

    pub(super) fn answered(
        &mut self,
        number: u64,
        node: NodeId,
        outcome: Result<Decided, ErrorCode>,
    ) -> Result<(), String> {
        let now = self.now;
        let asked = &mut self.asked[number as usize];
        // An answer of a node that the client has turned from is not heard.
        if asked.is_answered || asked.node != Some(node) {
            return Ok(());
        }
        let (peer, ask) = (asked.peer, asked.ask.clone());
        match (outcome, &ask) {
            (Ok(Decided::Accepted(token)), Request::Accept(member)) => {
                asked.is_answered = true;
                let sure = self.records_were_there();
                self.ledger.on_token(member, &token, sure)?;
                self.person(peer).token = Some(token);
                self.person(peer).is_sure = sure;
                self.at(now, Happening::Connect { peer });
            }
            (Ok(_), _) => asked.is_answered = true,
            (Err(ErrorCode::TransferClosed), _) => {
                asked.is_answered = true;
                if matches!(ask, Request::Accept(_)) {
                    self.person(peer).closed = Some(ErrorCode::TransferClosed);
                }
            }
            (Err(error), _) => {
                let sure = self.records_were_there() && error == ErrorCode::TransferNotFound;
                self.ledger.on_refusal(error, sure)?;
                if error == ErrorCode::NotAllowed && !matches!(ask, Request::Accept(_)) {
                    self.asked[number as usize].is_answered = true;
                    return Ok(());
                }
                self.tries += 1;
                if self.tries > FEW_TRIES && self.may_be_lost() {
                    self.asked[number as usize].is_answered = true;
                    self.person(peer).closed = Some(error);
                    return Ok(());
                }
                if self.tries > MOST_TRIES {
                    return Err(format!("{ask:?} is refused again and again: {error}"));
                }
                self.at(now + 500 * MILLI, Happening::Ask { number });
            }
        }
        Ok(())
    }

    /// What is answered stands in the record.
    pub(super) fn check_answer(
        &mut self,
        number: u64,
        outcome: &Result<Decided, ErrorCode>,
    ) -> Result<(), String> {
        if !self.records_were_there() {
            return Ok(());
        }
        let Ok(decided) = outcome else { return Ok(()) };
        let Some((_, situation)) = self.store.situation() else {
            return Err(format!("{decided:?} was answered, and there is no record"));
        };
        let transfer = &situation.transfer;
        let stands = match (decided, &self.asked[number as usize].ask) {
            (Decided::Accepted(token), Request::Accept(member)) => transfer.token_of(member) == Some(token),
            (_, Request::Cancel(roomdrop::protocol::Party::Sender)) => transfer.state().is_final(),
            (_, Request::Cancel(roomdrop::protocol::Party::Receiver(member))) => !transfer.is_owed(member),
            _ => true,
        };
        if stands { Ok(()) } else { Err(format!("{decided:?} was answered, and the record does not say so")) }
    }

    pub(super) fn check_done(&mut self, line: Line) -> Result<(), String> {
        let Some(Peer::Sink(sink)) = self.lines.get(&line).map(|info| info.peer) else { return Ok(()) };
        self.unsure_done |= !self.records_were_there();
        if !self.records_were_there() || self.plan.sinks[sink].is_download {
            return Ok(());
        }
        let owed = self.store.situation().is_none_or(|(_, it)| it.transfer.is_owed(&Person::member(sink)));
        if owed {
            Err(format!("done of {sink} was answered, and the record does not say so"))
        } else {
            Ok(())
        }
    }

    /// Whether the records were within everybody's reach for a while.
    pub fn records_were_there(&self) -> bool {
        !self.plan.forgets() && self.records_troubled_at.is_none_or(|at| self.now > at + 10 * SECOND)
    }

    /// Whether all who knew of the transfer may be gone, the records too.
    pub(super) fn may_be_lost(&self) -> bool {
        self.plan.forgets() && self.plan.kills()
    }
}
