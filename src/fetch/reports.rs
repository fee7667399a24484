//! What the asker is told of its fetches: a transfer's status, as every link of its member hears it on every
//! node, becomes `fetch:progress` at most every 500 ms, and `fetch:complete` or `fetch:failed` once. Pure: time
//! is handed in.

use std::collections::HashMap;
use std::time::Duration;

use super::record::Fingerprint;
use crate::protocol::fetches::{Ended, FetchUrl, Progress};
use crate::protocol::rooms::Status;
use crate::protocol::{
    ErrorCode, FileName, MemberId, Moment, Refusal, ResourceId, RoomId, TransferId, TransferState,
};

/// Between two words of progress about one fetch.
const PROGRESS: Duration = Duration::from_millis(500);

/// Fetches that one link is told of, at most.
const MOST: usize = 1000;

/// A fetch that a link is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// What its record is found by.
    pub fetch: Fingerprint,
    /// Whose it is.
    pub member: MemberId,
    /// What is fetched.
    pub url: FetchUrl,
    /// What its asker calls it.
    pub resource: ResourceId,
    /// Where it is a drop.
    pub room: RoomId,
    /// Its transfer.
    pub transfer: TransferId,
    /// The file's name.
    pub name: FileName,
}

/// What to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// `fetch:progress`.
    Progress(Progress),
    /// `fetch:complete`.
    Complete(Ended),
    /// `fetch:failed`; the record may say more of why.
    Failed(Watched, Option<ErrorCode>),
}

/// The fetches that one link is told of.
#[derive(Debug, Default)]
pub struct Reports {
    watched: HashMap<TransferId, (Watched, Told)>,
}

/// What it was told last.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Nothing,
    /// Progress, at that moment.
    At(Moment),
    /// And there is newer.
    Behind(Moment, Box<Progress>),
    /// How it ended.
    End,
}

impl Reports {
    /// The link is told of this fetch from now on, anew if it was before. Of too many, those that have ended
    /// make place.
    pub fn watch(&mut self, watched: Watched) {
        if self.is_full() {
            self.watched.retain(|_, (_, told)| *told != Told::End);
        }
        self.watched.insert(watched.transfer.clone(), (watched, Told::Nothing));
    }

    /// The fetch that the asker calls so.
    pub fn find(&self, resource: &ResourceId) -> Option<&Watched> {
        self.watched.values().map(|(watched, _)| watched).find(|watched| watched.resource == *resource)
    }

    /// The fetch of this transfer.
    pub fn of(&self, transfer: &TransferId) -> Option<&Watched> {
        self.watched.get(transfer).map(|(watched, _)| watched)
    }

    /// Whether there are as many as one link may be told of, and none of them has ended.
    pub fn has_no_room(&self) -> bool {
        self.is_full() && self.watched.values().all(|(_, told)| *told != Told::End)
    }

    fn is_full(&self) -> bool {
        self.watched.len() >= MOST
    }

    /// Takes a status in. What it is to be told, if anything now; see [`Self::due`] for what may be later.
    pub fn take(&mut self, now: Moment, status: &Status) -> Option<Report> {
        let (watched, told) = self.watched.get_mut(&status.transfer)?;
        if *told == Told::End {
            return None;
        }
        match status.state {
            TransferState::Complete => {
                *told = Told::End;
                Some(Report::Complete(watched.complete()))
            }
            TransferState::Cancelled => {
                *told = Told::End;
                Some(Report::Failed(watched.clone(), None))
            }
            TransferState::Failed => {
                *told = Told::End;
                Some(Report::Failed(watched.clone(), Some(status.error.unwrap_or(ErrorCode::FetchFailed))))
            }
            _ => {
                let progress = watched.progress(status);
                let (say, next) = told.next(now, progress);
                *told = next;
                say.map(Report::Progress)
            }
        }
    }

    /// As [`Self::take`], of one that ended, by the state that a snapshot of its room shows.
    pub fn end(&mut self, transfer: &TransferId, state: Option<TransferState>) -> Option<Report> {
        let (watched, told) = self.watched.get_mut(transfer)?;
        let report = match state {
            _ if *told == Told::End => return None,
            Some(TransferState::Complete) => Report::Complete(watched.complete()),
            Some(TransferState::Cancelled) => Report::Failed(watched.clone(), None),
            Some(TransferState::Failed) => Report::Failed(watched.clone(), Some(ErrorCode::FetchFailed)),
            None => Report::Failed(watched.clone(), Some(ErrorCode::Expired)),
            Some(_) => return None,
        };
        *told = Told::End;
        Some(report)
    }

    /// Progress whose time has come.
    pub fn due(&mut self, now: Moment) -> Vec<Report> {
        let mut due = Vec::new();
        for (_, told) in self.watched.values_mut() {
            if let Told::Behind(last, newest) = told
                && now >= *last + PROGRESS
            {
                due.push(Report::Progress((**newest).clone()));
                *told = Told::At(now);
            }
        }
        due
    }

    /// When [`Self::due`] has something to say.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let behind = self.watched.values().filter_map(|(_, told)| match told {
            Told::Behind(last, _) => Some(*last + PROGRESS),
            _ => None,
        });
        behind.min()
    }
}

impl Told {
    /// Whether to say it now, and what was told then.
    fn next(&self, now: Moment, progress: Progress) -> (Option<Progress>, Self) {
        match self {
            Self::At(last) | Self::Behind(last, _) if now < *last + PROGRESS => {
                (None, Self::Behind(*last, Box::new(progress)))
            }
            _ => (Some(progress), Self::At(now)),
        }
    }
}

impl Watched {
    fn progress(&self, status: &Status) -> Progress {
        Progress {
            resource: self.resource.clone(),
            transfer: self.transfer.clone(),
            name: self.name.clone(),
            received: status.sent,
            size: status.size,
            progress: status.size.map(|size| percent(status.sent, size)),
            bytes_per_second: status.bytes_per_second,
            eta_seconds: status.eta_seconds,
        }
    }

    fn complete(&self) -> Ended {
        let sentence = "Everyone who accepted has all of it.";
        self.ended(None, sentence)
    }

    /// `fetch:failed`: stopped where there is no error. `why` says more than the code, if it is known.
    pub fn failed(&self, error: Option<ErrorCode>, why: Option<&Refusal>) -> Ended {
        match (error, why) {
            (None, _) => self.ended(None, "It was stopped."),
            (Some(_), Some(why)) => self.ended(Some(why.code), why.sentence()),
            (Some(error), None) => self.ended(Some(error), error.sentence()),
        }
    }

    fn ended(&self, error: Option<ErrorCode>, sentence: &str) -> Ended {
        Ended {
            resource: self.resource.clone(),
            transfer: self.transfer.clone(),
            name: self.name.clone(),
            error,
            msg: sentence.to_owned(),
        }
    }
}

/// In tenths, rounded down: 100 is all of it, and nothing less.
#[allow(clippy::cast_precision_loss, reason = "at most a thousand")]
fn percent(received: u64, size: u64) -> f64 {
    if size == 0 {
        return 100.0;
    }
    let tenths = u128::from(received.min(size)) * 1000 / u128::from(size);
    tenths as f64 / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn watched() -> Watched {
        Watched {
            fetch: [0; 32],
            member: MemberId::from_random(1),
            url: FetchUrl::new("https://a.example/").unwrap(),
            resource: ResourceId::new("r").unwrap(),
            room: RoomId::new("otter").unwrap(),
            transfer: TransferId::new("t").unwrap(),
            name: FileName::new("a.txt").unwrap(),
        }
    }

    fn status(state: TransferState, sent: u64) -> Status {
        Status {
            transfer: TransferId::new("t").unwrap(),
            state,
            size: Some(1000),
            sent,
            receivers: Vec::new(),
            bytes_per_second: 5,
            eta_seconds: None,
            error: (state == TransferState::Failed).then_some(ErrorCode::SourceFailed),
            copy: None,
        }
    }

    fn at(millis: u64) -> Moment {
        Moment::from_micros(1000 * millis)
    }

    #[test]
    fn an_end_is_told_once_and_says_why() {
        for (state, error) in
            [(TransferState::Failed, Some(ErrorCode::SourceFailed)), (TransferState::Cancelled, None)]
        {
            let mut reports = Reports::default();
            reports.watch(watched());
            let expected = Some(Report::Failed(watched(), error));
            assert_eq!(reports.take(at(0), &status(state, 5)), expected);
            assert_eq!(reports.take(at(1), &status(state, 5)), None);
            assert_eq!(reports.end(&watched().transfer, Some(state)), None);
        }
        let why = Refusal::new(ErrorCode::TooLarge, "Too large it is.");
        assert_eq!(watched().failed(Some(ErrorCode::SourceFailed), Some(&why)).msg, "Too large it is.");
        assert_eq!(
            watched().failed(Some(ErrorCode::SourceFailed), Some(&why)).error,
            Some(ErrorCode::TooLarge)
        );
        assert_eq!(watched().failed(None, Some(&why)).error, None);
    }

    #[test]
    fn whoever_comes_back_too_late_is_told_how_it_ended() {
        let mut reports = Reports::default();
        let mut end = |state| {
            reports.watch(watched());
            reports.end(&watched().transfer, state)
        };
        assert!(matches!(end(Some(TransferState::Complete)), Some(Report::Complete(_))));
        assert_eq!(end(Some(TransferState::Cancelled)), Some(Report::Failed(watched(), None)));
        assert_eq!(end(None), Some(Report::Failed(watched(), Some(ErrorCode::Expired))));
        assert_eq!(end(Some(TransferState::Active)), None);
    }

    proptest! {
        #[test]
        fn progress_is_told_at_most_every_half_second_and_the_newest_is_never_lost(
            steps in proptest::collection::vec((0_u64..400, 0_u64..50), 1..80),
        ) {
            let mut reports = Reports::default();
            reports.watch(watched());
            let (mut now, mut sent, mut said) = (0, 0, Vec::<(u64, u64)>::new());
            for (pause, more) in steps {
                let until = now + pause;
                while let Some(due) = reports.poll_timeout().filter(|due| *due <= at(until)) {
                    now = due.unix_millis();
                    for report in reports.due(due) {
                        let Report::Progress(progress) = report else { panic!() };
                        said.push((now, progress.received));
                    }
                }
                (now, sent) = (until, sent + more);
                if let Some(Report::Progress(progress)) = reports.take(at(now), &status(TransferState::Active, sent)) {
                    said.push((now, progress.received));
                }
            }
            if let Some(due) = reports.poll_timeout() {
                for report in reports.due(due) {
                    let Report::Progress(progress) = report else { panic!() };
                    said.push((due.unix_millis(), progress.received));
                }
            }
            prop_assert_eq!(said.last().map(|(_, received)| *received), Some(sent));
            for pair in said.windows(2) {
                prop_assert!(pair[1].0 - pair[0].0 >= 500, "{:?}", said);
            }
            prop_assert_eq!(reports.poll_timeout(), None);
        }

        #[test]
        fn progress_is_a_hundred_when_all_is_there_and_only_then(received: u64, size: u64) {
            let percent = percent(received, size);
            prop_assert!((0.0..=100.0).contains(&percent));
            prop_assert_eq!(percent >= 100.0, received >= size);
        }
    }
}
