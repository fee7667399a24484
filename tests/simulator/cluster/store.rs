//! The records that all nodes can read, as the broker's port documents them: a write of a lower epoch than
//! is there is refused. Each trip takes its time; what it finds is as it is when it gets there.

use std::collections::BTreeSet;

use roomdrop::hub::session::Situation;

/// A trip to the records, with the rest of what it belongs to.
#[derive(Debug, Clone)]
pub enum Trip {
    /// To begin as an edge.
    Find,
    Look,
    /// Which transfer a token is of; what waits for it has this number.
    Token {
        token: String,
        waits: u64,
    },
    Save {
        epoch: u64,
        number: u64,
        value: Vec<u8>,
        tokens: Vec<String>,
    },
    SaveTokens {
        epoch: u64,
        number: u64,
        tokens: Vec<String>,
    },
    Claim {
        epoch: u64,
        number: u64,
        value: Vec<u8>,
    },
    ClaimOver {
        epoch: u64,
        number: u64,
        value: Vec<u8>,
    },
    Remove {
        epoch: u64,
    },
}

/// What came of a trip.
#[derive(Debug)]
pub enum Stored {
    Saved(u64, u64, Vec<String>),
    Found(u64, Box<Situation>),
    Missing,
    Away,
    Claimed,
    /// Whether the token is known.
    Known(bool),
    Removed,
}

/// Where a trip leads to.
#[derive(Debug)]
pub enum Next {
    Trip(Trip),
    Done(Stored),
}

#[derive(Debug, Default)]
pub struct Store {
    record: Option<(u64, u64, Vec<u8>)>,
    tokens: BTreeSet<String>,
    /// Whether epochs count for nothing: a flaw.
    takes_all: bool,
}

pub fn write(situation: &Situation) -> Vec<u8> {
    serde_json::to_vec(situation).unwrap_or_default()
}

fn read(value: &[u8]) -> Box<Situation> {
    match serde_json::from_slice(value) {
        Ok(situation) => Box::new(situation),
        Err(error) => panic!("what was written cannot be read: {error}"),
    }
}

impl Store {
    pub fn new(takes_all: bool) -> Self {
        Self { takes_all, ..Self::default() }
    }

    pub fn forget(&mut self) {
        self.record = None;
        self.tokens.clear();
    }

    /// What the record says.
    pub fn situation(&self) -> Option<(u64, Box<Situation>)> {
        self.record.as_ref().map(|(epoch, _, value)| (*epoch, read(value)))
    }

    fn found(&self) -> Stored {
        self.situation().map_or(Stored::Missing, |(epoch, situation)| Stored::Found(epoch, situation))
    }

    /// Whether the record is newer than this situation.
    fn is_newer(&self, epoch: u64, number: u64) -> bool {
        let newer = |(found, its, _): &(u64, u64, Vec<u8>)| (*found, *its) > (epoch, number);
        !self.takes_all && self.record.as_ref().is_some_and(newer)
    }

    pub fn arrive(&mut self, trip: Trip) -> Next {
        Next::Done(match trip {
            Trip::Find | Trip::Look => self.found(),
            Trip::Token { token, .. } => Stored::Known(self.tokens.contains(&token)),
            Trip::Save { epoch, number, .. } if self.is_newer(epoch, number) => self.found(),
            Trip::Save { epoch, number, value, tokens } => {
                self.record = Some((epoch, number, value));
                return Next::Trip(Trip::SaveTokens { epoch, number, tokens });
            }
            Trip::SaveTokens { epoch, number, tokens } => {
                self.tokens.extend(tokens.iter().cloned());
                Stored::Saved(epoch, number, tokens)
            }
            Trip::Claim { epoch, number, .. } if self.is_newer(epoch, number) => self.found(),
            Trip::Claim { epoch, number, value } => {
                return Next::Trip(Trip::ClaimOver { epoch, number, value });
            }
            Trip::ClaimOver { epoch, number, .. } if self.is_newer(epoch, number) => self.found(),
            Trip::ClaimOver { epoch, value, .. } => {
                self.record = Some((epoch + 1, 0, value));
                Stored::Claimed
            }
            Trip::Remove { epoch } => {
                if !self.is_newer(epoch, u64::MAX) {
                    self.record = None;
                }
                Stored::Removed
            }
        })
    }
}
