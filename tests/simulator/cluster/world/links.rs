//! The links of people to the nodes: who connects to which node, what goes over a link and when, and how it
//! ends.

use roomdrop::hub::session::SinkKind;
use roomdrop::protocol::ErrorCode;
use roomdrop::protocol::node::NodeId;

use super::{FEW_TRIES, Happening, LineInfo, MOST_TRIES, World, index};
use crate::cluster::person::{Need, Person, Says};
use crate::cluster::word::{Command, Line, Request, Word};
use crate::plan::{MILLI, Peer};
use crate::{sink, source};

impl World {
    pub(super) fn reach_node(&mut self, line: Line, says: Says) -> Result<(), String> {
        let Some(info) = self.lines.get(&line).filter(|info| info.is_up) else { return Ok(()) };
        let (peer, node) = (info.peer, info.node);
        let person = &self.people[index(peer)];
        let token = person.token.clone().unwrap_or_else(|| self.ledger.source_token.clone());
        let download = person.download();
        let mut commands = Vec::new();
        match says {
            Says::Open if peer == Peer::Source => commands.push(Command::OpenSource { line }),
            Says::Open => {
                let kind = download.map_or(SinkKind::Link, |from| SinkKind::Download { from });
                commands.push(Command::OpenSink { line, token: token.clone(), kind });
            }
            Says::Source(source::Say::Chunk { lane, offset, len, quality }) => {
                commands.push(Command::Chunk { line, lane, offset, len, quality });
            }
            Says::Source(source::Say::End { size }) => commands.push(Command::SourceEnd { line, size }),
            Says::Source(source::Say::Fail) => commands.push(Command::SourceFail { line }),
            Says::Sink(sink::Say::Pull { lane, from, limit }) => {
                commands.push(Command::Pull { line, lane, from, limit });
            }
            // A body that ends was read to its end.
            Says::Sink(sink::Say::Done) if download.is_some() => {
                let held = person.held();
                commands.push(Command::Pull { line, lane: u64::MAX, from: held, limit: held });
                commands.push(Command::DownloadEnded { line });
            }
            Says::Sink(sink::Say::Done) => commands.push(Command::SinkDone { line }),
            Says::Source(source::Say::Open) | Says::Sink(sink::Say::Open { .. }) => {}
        }
        for command in commands {
            let token = token.clone();
            self.with_node(node, |node, around| node.hear(around, command, &token))?;
        }
        Ok(())
    }

    pub(super) fn reach_person(&mut self, line: Line, word: &Word) -> Result<(), String> {
        if let Word::Chunk { bytes, .. } = word {
            self.net.unqueue(line, bytes.len() as u64);
        }
        let Some(info) = self.lines.get(&line).filter(|info| info.is_up) else { return Ok(()) };
        let peer = info.peer;
        if self.person(peer).line != Some(line) {
            return Ok(());
        }
        if let Word::Refused(error) = word {
            // Of a source that cannot go back, a receiver may have been ended.
            let sure = self.person(peer).is_sure && self.records_were_there() && !self.plan.is_once;
            self.ledger.on_refusal(*error, sure)?;
        }
        let now = self.now;
        match self.person(peer).hear(now, word) {
            Need::Nothing => {}
            Need::Reconnect => self.try_again(peer)?,
            Need::AcceptAgain => {
                self.drop_line(peer);
                self.person(peer).token = None;
                if let Peer::Sink(sink) = peer {
                    let number = self.ask(peer, Request::Accept(Person::member(sink)));
                    self.at(now + 200 * MILLI, Happening::Ask { number });
                } else {
                    self.try_again(peer)?;
                }
            }
        }
        self.watch(peer);
        Ok(())
    }

    fn watch(&mut self, peer: Peer) {
        let held = self.person(peer).held();
        let index = index(peer);
        if self.watch_from.is_some() && self.moved_at[index].is_none() && held > self.watched_held[index] {
            self.moved_at[index] = Some(self.now);
        }
    }

    fn try_again(&mut self, peer: Peer) -> Result<(), String> {
        self.tries += 1;
        if self.tries > FEW_TRIES && self.may_be_lost() {
            self.person(peer).closed = Some(ErrorCode::TransferNotFound);
            return Ok(());
        }
        if self.tries > MOST_TRIES {
            return Err(format!("clients come again and again: {}", self.standing()));
        }
        self.reconnect(peer, 300 * MILLI, 800 * MILLI);
        Ok(())
    }

    /// The client lets go of its link and comes back after a while.
    pub fn reconnect(&mut self, peer: Peer, least: u64, most: u64) {
        self.drop_line(peer);
        let at = self.now + self.net.between(least, most);
        self.at(at, Happening::Connect { peer });
    }

    /// A client closes its link; its node hears so.
    fn drop_line(&mut self, peer: Peer) {
        if let Some(line) = self.person(peer).line {
            self.person(peer).disconnect();
            if let Some(info) = self.lines.get_mut(&line)
                && info.is_up
            {
                info.is_up = false;
                let at = self.now + self.net.between(self.plan.lines.0, self.plan.lines.1);
                self.at(at, Happening::NodeNotices { line });
            }
        }
    }

    pub(super) fn connect(&mut self, peer: Peer) {
        let now = self.now;
        if self.person(peer).line.is_some() || !self.person(peer).wants_link() {
            return;
        }
        let Some(node) = self.some_node() else {
            return self.at(now + 100 * MILLI, Happening::Connect { peer });
        };
        self.next_line += 1;
        let line = self.next_line;
        self.lines.insert(line, LineInfo { peer, node, is_up: true, last: [now; 2] });
        if let Peer::Sink(sink) = peer {
            self.net.open(line, self.plan.sinks[sink].outbox);
        }
        self.person(peer).connect(now, line);
    }

    /// Where a balancer sends a client.
    pub fn some_node(&mut self) -> Option<NodeId> {
        let live: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
        let index = self.net.between(0, (live.len() as u64).saturating_sub(1)) as usize;
        live.get(index).copied()
    }

    pub(super) fn send_down(&mut self, line: Line, word: Word) -> Result<(), String> {
        if matches!(word, Word::Thanks) {
            self.check_done(line)?;
        }
        let Some(info) = self.lines.get(&line) else { return Ok(()) };
        let (peer, len) = match &word {
            Word::Chunk { bytes, .. } => (info.peer, bytes.len() as u64),
            _ => (info.peer, 0),
        };
        let takes = match peer {
            Peer::Source => 0,
            Peer::Sink(sink) => len * MILLI / self.plan.sinks[sink].rate,
        };
        let at = self.travel(line, 1, takes);
        self.at(at, Happening::ToPerson { line, word });
        Ok(())
    }

    fn travel(&mut self, line: Line, way: usize, takes: u64) -> u64 {
        let delay = self.net.between(self.plan.lines.0, self.plan.lines.1);
        let now = self.now;
        let Some(info) = self.lines.get_mut(&line) else { return now };
        info.last[way] = (now + delay).max(info.last[way]) + takes;
        info.last[way]
    }

    /// Sends what was said, and plans who wakes when.
    pub(super) fn flush(&mut self) {
        for index in 0..self.people.len() {
            let peer = self.people[index].peer;
            let said = self.people[index].take_says();
            if let Some(line) = self.people[index].line {
                for says in said {
                    if let Says::Source(source::Say::Chunk { len, .. }) = &says {
                        self.said += len;
                    }
                    let at = self.travel(line, 0, 0);
                    self.at(at, Happening::ToNode { line, says });
                }
            }
            if let Some(at) = self.people[index].wake_at
                && self.wakes[index] != Some(at)
            {
                self.wakes[index] = Some(at);
                self.at(at, Happening::Wake { peer });
            }
        }
    }
}
