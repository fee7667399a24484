//! The way back to whoever asked: called once, from whichever task knows the answer. One that is dropped
//! unanswered, because its task ended or had no room, answers by itself: nobody waits for ever.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::protocol::{ErrorCode, Refusal};

/// What came of a request.
pub type Outcome<T> = Result<T, Refusal>;

/// An answer that is owed.
pub struct Answer<T>(Option<Box<dyn FnOnce(Outcome<T>) + Send>>);

impl<T> Answer<T> {
    /// An answer that goes to `to`, which must not block.
    pub fn new(to: impl FnOnce(Outcome<T>) + Send + 'static) -> Self {
        Self(Some(Box::new(to)))
    }

    /// Gives it.
    pub fn give(mut self, outcome: Outcome<T>) {
        if let Some(to) = self.0.take() {
            to(outcome);
        }
    }

    /// Gives it as a refusal.
    pub fn refuse(self, why: impl Into<Refusal>) {
        self.give(Err(why.into()));
    }
}

/// Hands out an answer to be sent along with a command, and waits until it is given: for those who can wait, so that
/// they need no way back of their own.
///
/// # Errors
/// What was answered; `overloaded` when the command found no room.
pub async fn ask<T: Send + 'static>(how: impl FnOnce(Answer<T>)) -> Outcome<T> {
    let (to, from) = oneshot::channel();
    how(Answer::new(move |outcome| drop(to.send(outcome))));
    from.await.unwrap_or(Err(ErrorCode::Overloaded.into()))
}

impl<T: Send + 'static> Answer<T> {
    /// An answer that is given as another kind.
    pub fn map<U>(self, how: impl FnOnce(Outcome<U>) -> Outcome<T> + Send + 'static) -> Answer<U> {
        Answer::new(move |outcome| self.give(how(outcome)))
    }
}

impl<T: Send + 'static> Answer<Vec<Outcome<T>>> {
    /// Answers for `count` parts of one request; when the last is given, all go together, in order.
    pub fn parts(self, count: usize) -> Vec<Answer<T>> {
        if count == 0 {
            self.give(Ok(Vec::new()));
            return Vec::new();
        }
        let places = (0..count).map(|_| Err(ErrorCode::Overloaded.into())).collect();
        let gathering = Arc::new(Mutex::new(Gathering { places, missing: count, whole: Some(self) }));
        let part = |place| {
            let gathering = gathering.clone();
            Answer::new(move |outcome| put(&gathering, place, outcome))
        };
        (0..count).map(part).collect()
    }
}

struct Gathering<T> {
    places: Vec<Outcome<T>>,
    missing: usize,
    whole: Option<Answer<Vec<Outcome<T>>>>,
}

fn put<T>(gathering: &Mutex<Gathering<T>>, place: usize, outcome: Outcome<T>) {
    let mut gathering = gathering.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = gathering.places.get_mut(place) {
        *slot = outcome;
    }
    gathering.missing = gathering.missing.saturating_sub(1);
    if gathering.missing == 0
        && let Some(whole) = gathering.whole.take()
    {
        let places = std::mem::take(&mut gathering.places);
        drop(gathering);
        whole.give(Ok(places));
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            to(Err(ErrorCode::Overloaded.into()));
        }
    }
}

impl<T> std::fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn parts_come_back_together_and_in_order() {
        let (to, answers) = mpsc::channel();
        let mut parts = Answer::<Vec<Outcome<u8>>>::new(move |outcome| to.send(outcome).unwrap()).parts(3);
        parts.remove(2).give(Ok(2));
        parts.remove(0).give(Ok(0));
        assert!(answers.try_recv().is_err());
        drop(parts);
        assert_eq!(answers.recv().unwrap().unwrap(), [Ok(0), Err(ErrorCode::Overloaded.into()), Ok(2)]);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let (to, answers) = mpsc::channel();
        drop(Answer::<()>::new(move |outcome| to.send(outcome).unwrap()));
        assert_eq!(answers.recv().unwrap(), Err(ErrorCode::Overloaded.into()));
    }
}
