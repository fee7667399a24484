//! The bytes of something stored as the body of a response: read as the connection takes them, each chunk checked
//! before any of it goes out. Where one cannot be read the connection breaks off, so that nobody takes a part for
//! the whole.

use std::io;

use axum::body::Body;
use futures_util::stream::unfold;

use crate::store::Reader;

/// Bytes handed to the connection at once.
const PIECE: usize = 256 * 1024;

/// All that is left to be read. Holds two chunks of the store, at most.
pub(super) fn body(reader: Reader) -> Body {
    Body::from_stream(unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        match reader.next(PIECE).await {
            Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some(reader))),
            Err(error) => {
                tracing::warn!(%error, "a download of something stored is broken off");
                Some((Err(io::Error::other(error)), None))
            }
        }
    }))
}
