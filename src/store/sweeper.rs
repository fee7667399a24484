//! Sweeps from time to time, until it is dropped. A sweep that fails is told in the log and tried again the
//! next time.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::Store;

/// Between two sweeps.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// Before the first one, and more than the difference between two: nodes do not sweep all at one moment.
const AT_FIRST: Duration = Duration::from_secs(30);

/// Sweeps until it is dropped.
#[derive(Debug)]
pub struct Sweeper(#[expect(dead_code, reason = "held for its end")] AbortOnDropHandle<()>);

impl Sweeper {
    /// Begins. Call it within a runtime.
    pub fn start(store: Store) -> Self {
        let differs = AT_FIRST.mul_f64(rand::random::<f64>());
        Self(AbortOnDropHandle::new(tokio::spawn(async move {
            sleep(AT_FIRST + differs).await;
            loop {
                sweep(&store).await;
                sleep(EVERY + differs).await;
            }
        })))
    }
}

async fn sweep(store: &Store) {
    match store.sweep().await {
        Ok(swept) if swept.unreadable > 0 => {
            tracing::error!(
                manifests = swept.unreadable,
                "manifests in the store cannot be read, perhaps of a newer version; nothing is freed while they are there"
            );
        }
        Ok(swept) => tracing::debug!(?swept, "store swept"),
        Err(error) => tracing::warn!(%error, "the store was not swept; it is tried again"),
    }
}
