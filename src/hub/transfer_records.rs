//! A transfer's record, and its words to other nodes: what the session says is to be written, looked for or
//! claimed is done here, and what came of it is told to the task as a command. It waits for nothing, and
//! decides nothing.

use std::time::Duration;

use super::Hub;
use super::answer::Answer;
use super::record::Story;
use super::session::Input;
use super::transfer_handle::Command;
use super::transfer_task::Task;
use crate::broker::{Away, Full, Key, Record, Written};
use crate::protocol::node::{Body, Frame, NodeId};
use crate::protocol::{Secret, TransferId};
use crate::transfer::REMEMBERED;

/// What came of something that was asked of the records.
#[derive(Debug)]
pub enum Stored {
    /// The record holds the situation of this epoch and number, and these tokens can be found.
    Saved(u64, u64, Vec<[u8; 32]>),
    /// It does not, for this is what came of writing it.
    NotSaved(Box<Stored>),
    /// It is newer than was known, or was looked for.
    Found(u64, Box<Story>),
    /// There is none.
    Missing,
    /// The records cannot be reached.
    Away,
    /// It is this node's.
    Claimed,
}

/// Whether the record is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saving {
    Idle,
    Running,
    /// And it is behind already.
    RunningBehind,
}

impl Task {
    /// The record is behind: it is written, or will be once the write that is under way has ended.
    pub(super) fn save(&mut self) {
        if self.saving != Saving::Idle {
            self.saving = Saving::RunningBehind;
            return;
        }
        self.saving = Saving::Running;
        let situation = self.session.situation(self.hub.clock().now());
        let story = Story { about: self.about.clone(), situation };
        let (hub, id, epoch) = (self.hub.clone(), self.id.clone(), self.session.epoch());
        let tokens = self.unsaved_tokens();
        self.ask_records(async move { save(&hub, id, epoch, story, tokens).await });
    }

    /// The tokens that no other node can find yet.
    fn unsaved_tokens(&self) -> Vec<Secret> {
        let transfer = self.session.transfer();
        let sinks = transfer.receivers().filter_map(|(member, _)| transfer.token_of(member));
        let all = sinks.chain([&self.about.source_token]);
        all.filter(|token| !self.saved_tokens.contains(&token.fingerprint())).cloned().collect()
    }

    /// Reads the record.
    pub(super) fn look(&self) {
        let (hub, id) = (self.hub.clone(), self.id.clone());
        self.ask_records(async move {
            match read(&hub, &id).await {
                Ok(Some((epoch, story))) => Stored::Found(epoch, Box::new(story)),
                Ok(None) => Stored::Missing,
                Err(Away) => Stored::Away,
            }
        });
    }

    /// Takes the home, unless the record is newer than what is known.
    pub(super) fn claim_home(&mut self) {
        let situation = self.session.claim(self.hub.clock().now());
        let (hub, id, epoch) = (self.hub.clone(), self.id.clone(), self.session.epoch());
        let (number, story) = (self.session.number(), Story { about: self.about.clone(), situation });
        self.ask_records(async move { claim(&hub, id, epoch, number, story).await });
    }

    /// The record is not wanted any more.
    pub(super) fn remove_record(&self) {
        let (hub, id, epoch) = (self.hub.clone(), self.id.clone(), self.session.epoch());
        let tokens: Vec<_> = self.saved_tokens.iter().copied().collect();
        self.hub.tasks().spawn(async move {
            let broker = hub.broker();
            // What cannot be removed now expires by itself.
            let _ = broker.remove(&Key::Transfer(id), Version::newest_of(epoch).packed()).await;
            for token in tokens {
                let _ = broker.remove(&Key::Token(token), u64::MAX).await;
            }
        });
    }

    fn ask_records(&self, ask: impl Future<Output = Stored> + Send + 'static) {
        let (handle, ended) = (self.handle.clone(), self.hub.ended().clone());
        self.hub.tasks().spawn(ended.run_until_cancelled_owned(async move {
            let stored = ask.await;
            handle.send_when_there_is_room(Command::Stored(stored)).await;
        }));
    }

    /// Answers once nothing is being written any more.
    pub(super) fn answer_when_saved(&mut self, answer: Answer<()>) {
        self.unsaved.push(answer);
        self.answer_if_saved();
    }

    fn answer_if_saved(&mut self) {
        if self.saving == Saving::Idle {
            self.unsaved.drain(..).for_each(|answer| answer.give(Ok(())));
        }
    }

    /// What came of it.
    pub(super) fn take_stored(&mut self, stored: Stored) {
        self.learn_stored(stored);
        self.answer_if_saved();
    }

    fn learn_stored(&mut self, stored: Stored) {
        match stored {
            Stored::Saved(epoch, number, tokens) => {
                self.saved_tokens.extend(tokens);
                // Numbers of another time as the home say nothing of this one's.
                if epoch == self.session.epoch() {
                    let _ = self.give(Input::Saved { number });
                }
                self.go_on_saving();
            }
            Stored::NotSaved(stored) => {
                if matches!(*stored, Stored::Away) {
                    // What is behind is written when the records are back, or tried again.
                    self.saving = Saving::Idle;
                    let _ = self.give(Input::StoreAway);
                    return;
                }
                self.take_stored(*stored);
                self.go_on_saving();
            }
            Stored::Found(epoch, story) => {
                let home = story.situation.home;
                let _ = self.give(Input::Found { epoch, situation: Box::new(story.situation) });
                self.check_home(home);
            }
            Stored::Missing => drop(self.give(Input::Missing)),
            // A home that looked knows no less than before.
            Stored::Away if self.session.is_home() => {}
            Stored::Away => drop(self.give(Input::StoreAway)),
            Stored::Claimed => {
                self.move_in();
                let _ = self.give(Input::Claimed);
            }
        }
    }

    fn go_on_saving(&mut self) {
        let was_behind = std::mem::replace(&mut self.saving, Saving::Idle) == Saving::RunningBehind;
        if was_behind && self.session.is_home() {
            self.save();
        }
    }

    /// A home whose node is gone is as good as none.
    pub(super) fn check_home(&mut self, home: NodeId) {
        let broker = self.hub.broker();
        if broker.is_there() && !broker.nodes().iter().any(|node| node.id == home) {
            let _ = self.give(Input::NodeLost(home));
        }
    }

    pub(super) fn post(&self, to: NodeId, body: Body) -> Result<(), Full> {
        self.hub.broker().post(to, self.frame(body))
    }

    pub(super) fn frame(&self, body: Body) -> Frame {
        Frame { transfer: self.id.clone(), epoch: self.session.epoch(), body }
    }
}

/// Of which epoch a transfer's record is, and what it says. One of an unknown form is none.
pub(super) async fn read(hub: &Hub, id: &TransferId) -> Result<Option<(u64, Story)>, Away> {
    let record = hub.broker().read(&Key::Transfer(id.clone())).await?;
    Ok(record.and_then(|record| Some((Version::unpack(record.epoch).epoch, Story::read(&record.value)?))))
}

/// What a transfer's record is compared by: of two situations of one epoch the later counts, so that whoever
/// takes the home over cannot write over what was decided after it had looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    epoch: u64,
    number: u64,
}

impl Version {
    const NUMBER_BITS: u32 = 40;
    const MOST: u64 = (1 << Self::NUMBER_BITS) - 1;

    fn newest_of(epoch: u64) -> Self {
        Self { epoch, number: Self::MOST }
    }

    fn packed(self) -> u64 {
        (self.epoch << Self::NUMBER_BITS) | self.number.min(Self::MOST)
    }

    fn unpack(packed: u64) -> Self {
        Self { epoch: packed >> Self::NUMBER_BITS, number: packed & Self::MOST }
    }
}

async fn save(hub: &Hub, id: TransferId, epoch: u64, story: Story, tokens: Vec<Secret>) -> Stored {
    let number = story.situation.number;
    let version = Version { epoch, number };
    match write(hub, &id, version, version, &story).await {
        Ok(None) => {}
        Ok(Some(stale)) => return Stored::NotSaved(Box::new(stale)),
        Err(Away) => return Stored::NotSaved(Box::new(Stored::Away)),
    }
    // A token that can be found leads to a record that knows it.
    let mut saved = Vec::with_capacity(tokens.len());
    for token in tokens {
        let key = Key::Token(token.fingerprint());
        let record = Record { epoch: 0, value: id.as_str().to_owned().into() };
        if hub.broker().write(&key, u64::MAX, record, lifetime(hub)).await.is_err() {
            return Stored::NotSaved(Box::new(Stored::Away));
        }
        saved.push(token.fingerprint());
    }
    Stored::Saved(epoch, number, saved)
}

async fn claim(hub: &Hub, id: TransferId, epoch: u64, number: u64, story: Story) -> Stored {
    match read(hub, &id).await {
        Ok(Some((found, newer))) if found > epoch || (found == epoch && newer.situation.number > number) => {
            return Stored::Found(found, Box::new(newer));
        }
        Ok(_) => {}
        Err(Away) => return Stored::Away,
    }
    let (over, next) = (Version { epoch, number }, Version { epoch: epoch + 1, number: 0 });
    match write(hub, &id, over, next, &story).await {
        Ok(None) => Stored::Claimed,
        Ok(Some(stale)) => stale,
        Err(Away) => Stored::Away,
    }
}

/// Writes the record; on a newer one, what that says.
async fn write(
    hub: &Hub,
    id: &TransferId,
    over: Version,
    version: Version,
    story: &Story,
) -> Result<Option<Stored>, Away> {
    let record = Record { epoch: version.packed(), value: story.write() };
    match hub.broker().write(&Key::Transfer(id.clone()), over.packed(), record, lifetime(hub)).await? {
        Written::Done => Ok(None),
        Written::Stale(record) => Ok(Some(match Story::read(&record.value) {
            Some(story) => Stored::Found(Version::unpack(record.epoch).epoch, Box::new(story)),
            None => Stored::Away,
        })),
    }
}

/// A record lives as long as its transfer may, and as long as people may ask how it ended.
fn lifetime(hub: &Hub) -> Duration {
    hub.options().transfer.lifetime.max(hub.options().kept) + REMEMBERED
}
