//! Looks from time to time at what is written down: what has expired goes, and what had all its bytes when its node
//! died is published although its client never came back.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use super::record::Key;
use super::{Inner, Outcome};
use crate::protocol::ErrorCode;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(15 * 60);

impl Inner {
    pub(super) async fn tidy(&self) {
        let mut due = HashSet::new();
        loop {
            match self.look_at_all(&due).await {
                Ok(found) => due = found,
                Err(refusal) => {
                    tracing::warn!(error = %refusal, "uploads were not tidied; it is tried again")
                }
            }
            sleep(EVERY).await;
        }
    }

    /// Looks at all; those that are due come back, and one that was due `before` is published: nobody else does.
    pub(super) async fn look_at_all(&self, before: &HashSet<Key>) -> Outcome<HashSet<Key>> {
        let keys = self.keys().await?;
        self.known.store(keys.len(), Ordering::Relaxed);
        let mut due = HashSet::new();
        for key in keys {
            let Some(_hold) = self.seats.try_enter(&key) else { continue };
            let mut kept = match self.load(&key).await {
                Ok(kept) => kept,
                Err(refusal) if refusal.code == ErrorCode::NotFound => continue,
                Err(refusal) => return Err(refusal),
            };
            if kept.upload.expires <= self.now() {
                self.drop_upload(&kept).await?;
            } else if kept.upload.is_due() && before.contains(&key) {
                if let Err(refusal) = self.finish(&mut kept).await {
                    tracing::warn!(error = %refusal, "an upload that has all its bytes is not published");
                }
            } else if kept.upload.is_due() {
                due.insert(key);
            }
        }
        Ok(due)
    }
}
