//! The transfer's record, as `hub/transfer_records.rs` writes and reads it.

use roomdrop::hub::session::Input;
use roomdrop::protocol::node::NodeId;

use super::Task;
use crate::cluster::flaws::Flaw;
use crate::cluster::store::{self, Stored, Trip};
use crate::cluster::surroundings::Surroundings;
use crate::cluster::word::{Act, moment};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saving {
    Idle,
    Running,
    RunningBehind,
}

impl Task {
    pub(super) fn save(&mut self, around: &mut Surroundings) -> Result<(), String> {
        if self.saving != Saving::Idle {
            self.saving = Saving::RunningBehind;
            return Ok(());
        }
        self.saving = Saving::Running;
        let situation = self.session.situation(moment(around.skew, around.now));
        let tokens = self.unsaved_tokens();
        if around.has(Flaw::AnswersEarly) {
            self.handle(around, Input::Saved { number: situation.number })?.ok();
        }
        let (epoch, number) = (self.session.epoch(), situation.number);
        around.act(Act::Trip(Trip::Save { epoch, number, value: store::write(&situation), tokens }));
        Ok(())
    }

    fn unsaved_tokens(&self) -> Vec<String> {
        let transfer = self.session.transfer();
        let sinks = transfer.receivers().filter_map(|(member, _)| transfer.token_of(member));
        let all = sinks.chain([&self.source_token]).map(|token| token.expose().to_owned());
        all.filter(|token| !self.saved_tokens.contains(token)).collect()
    }

    pub(super) fn take_stored(
        &mut self,
        around: &mut Surroundings,
        stored: Stored,
        is_save: bool,
    ) -> Result<(), String> {
        match stored {
            Stored::Saved(epoch, number, tokens) => {
                self.saved_tokens.extend(tokens);
                if epoch == self.session.epoch() {
                    self.give(around, Input::Saved { number })?.ok();
                }
            }
            Stored::Found(epoch, situation) => {
                let home = situation.home;
                self.give(around, Input::Found { epoch, situation })?.ok();
                self.check_home(around, home)?;
            }
            Stored::Missing => drop(self.give(around, Input::Missing)?),
            // In the order of the hub: what went on meanwhile may have saved already.
            Stored::Away if is_save => {
                self.saving = Saving::Idle;
                self.give(around, Input::StoreAway)?.ok();
                return Ok(());
            }
            Stored::Away if self.session.is_home() => {}
            Stored::Away => drop(self.give(around, Input::StoreAway)?),
            Stored::Claimed => drop(self.give(around, Input::Claimed)?),
            Stored::Known(_) | Stored::Removed => {}
        }
        if is_save {
            let was_behind = std::mem::replace(&mut self.saving, Saving::Idle) == Saving::RunningBehind;
            if was_behind && self.session.is_home() {
                self.save(around)?;
                self.carry_out(around)?;
            }
        }
        Ok(())
    }

    /// A home whose node is gone is as good as none.
    pub fn check_home(&mut self, around: &mut Surroundings, home: NodeId) -> Result<(), String> {
        if around.knows_lost(home) {
            self.give(around, Input::NodeLost(home))?.ok();
        }
        Ok(())
    }
}
