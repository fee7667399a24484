//! Who waits for a decision of the session, and the answer they get.

use roomdrop::hub::session::{Ask, Decided, Reply};
use roomdrop::protocol::Refusal;

use super::Task;
use crate::cluster::surroundings::Surroundings;
use crate::cluster::word::{Act, Line, Word};

/// Whoever waits for a decision.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker {
    Request(u64),
    Done(Line),
}

impl Task {
    pub(super) fn answer_when_decided(
        &mut self,
        around: &mut Surroundings,
        reply: Result<Reply, Refusal>,
        asker: Asker,
    ) -> Result<(), String> {
        match reply {
            Ok(Reply::Asked(ask)) => {
                self.asks.push((ask, asker));
                Ok(())
            }
            Ok(Reply::Decided(decided)) => self.answer_asker(around, asker, Ok(decided)),
            Ok(_) => self.answer_asker(around, asker, Ok(Decided::Done)),
            Err(refusal) => self.answer_asker(around, asker, Err(refusal)),
        }
    }

    pub(super) fn answer(
        &mut self,
        around: &mut Surroundings,
        ask: Ask,
        outcome: Result<Decided, Refusal>,
    ) -> Result<(), String> {
        if let Some(index) = self.asks.iter().position(|(known, _)| *known == ask) {
            let (_, asker) = self.asks.remove(index);
            return self.answer_asker(around, asker, outcome);
        }
        Ok(())
    }

    fn answer_asker(
        &mut self,
        around: &mut Surroundings,
        asker: Asker,
        outcome: Result<Decided, Refusal>,
    ) -> Result<(), String> {
        match (asker, outcome) {
            (Asker::Request(number), outcome) => {
                if let Ok(Decided::Accepted(token)) = &outcome {
                    self.tokens.insert(token.expose().to_owned());
                }
                let outcome = outcome.map_err(|refusal| refusal.code);
                around.act(Act::Answer { number, outcome });
            }
            (Asker::Done(line), Ok(Decided::Done)) => {
                around.on_done(line)?;
                around.say(line, Word::Thanks);
            }
            (Asker::Done(line), Ok(decided)) => {
                return Err(format!("done on {line} was answered with {decided:?}"));
            }
            (Asker::Done(line), Err(refusal)) => around.log(|| format!("  done {line}: {refusal:?}")),
        }
        Ok(())
    }
}
