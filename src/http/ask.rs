//! Asking the hub and waiting for what it says: the handlers of HTTP are the ones that can wait, so they
//! need no way back of their own.

use tokio::sync::oneshot;

use crate::hub::{Answer, Outcome};
use crate::protocol::ErrorCode;

/// Hands out an answer to be sent along with a command, and waits until it is given.
///
/// # Errors
/// What was answered; `overloaded` when the command found no room.
pub(super) async fn ask<T: Send + 'static>(how: impl FnOnce(Answer<T>)) -> Outcome<T> {
    let (to, from) = oneshot::channel();
    how(Answer::new(move |outcome| drop(to.send(outcome))));
    from.await.unwrap_or(Err(ErrorCode::Overloaded.into()))
}
