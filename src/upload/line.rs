//! A bounded number of requests at once and a bounded number that wait for one of them to end, for a bounded time.
//! It exists because each takes memory; whoever finds no room is told so, and has sent nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::protocol::{ErrorCode, Refusal};

/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The line before a door.
#[derive(Debug)]
pub(super) struct Line {
    inside: Arc<Semaphore>,
    waiting: Semaphore,
}

/// One that is inside, until it is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held for its end")] OwnedSemaphorePermit);

impl Line {
    pub(super) fn new(inside: usize, waiting: usize) -> Self {
        Self { inside: Arc::new(Semaphore::new(inside)), waiting: Semaphore::new(waiting) }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `overloaded` when too many wait, or after 30 s.
    pub(super) async fn turn(&self) -> Result<Turn, Refusal> {
        if let Ok(permit) = self.inside.clone().try_acquire_owned() {
            return Ok(Turn(permit));
        }
        let _place = self.waiting.try_acquire().map_err(|_| ErrorCode::Overloaded)?;
        match timeout(PATIENCE, self.inside.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            Ok(Err(_)) | Err(_) => Err(ErrorCode::Overloaded.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_enters_when_another_leaves_and_not_beyond_the_patience() {
        let line = Arc::new(Line::new(1, 1));
        let first = line.turn().await.unwrap();
        assert_eq!(line.turn().await.unwrap_err().code, ErrorCode::Overloaded, "nobody left in time");
        let second = tokio::spawn({
            let line = line.clone();
            async move { line.turn().await }
        });
        while line.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(line.turn().await.unwrap_err().code, ErrorCode::Overloaded, "there is no place to wait");
        drop(first);
        second.await.unwrap().unwrap();
    }
}
