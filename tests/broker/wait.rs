//! Waiting that tells what it waited for: on a condition, looked at again and again. It refuses to wait for a fixed
//! time and hope.

use std::time::Duration;

use tokio::time::{interval, timeout};

/// Longer than anything here takes; only a broken promise waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Waits for a condition.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        let mut tick = interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            if let Some(found) = check().await {
                return found;
            }
        }
    };
    timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
