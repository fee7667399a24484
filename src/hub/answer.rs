//! The way back to whoever asked: called once, from whichever task knows the answer. One that is dropped
//! unanswered, because its task ended or had no room, answers by itself: nobody waits for ever.

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

impl<T: Send + 'static> Answer<T> {
    /// An answer that is given as another kind.
    pub fn map<U>(self, how: impl FnOnce(Outcome<U>) -> Outcome<T> + Send + 'static) -> Answer<U> {
        Answer::new(move |outcome| self.give(how(outcome)))
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
    fn nobody_waits_for_ever() {
        let (to, answers) = mpsc::channel();
        drop(Answer::<()>::new(move |outcome| to.send(outcome).unwrap()));
        assert_eq!(answers.recv().unwrap(), Err(ErrorCode::Overloaded.into()));
    }
}
