//! The digest of a body on its way through, by a task of its own: on a machine with more than one processor it
//! costs the upload no time. At most a few pieces wait for it; then the upload does.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::hub::Hub;
use crate::protocol::Digest;

/// Pieces that may wait.
const PIECES: usize = 4;

/// A digest in the making. Dropped, its task ends.
pub(super) struct Hash {
    pieces: mpsc::Sender<Bytes>,
    whole: oneshot::Receiver<Digest>,
}

impl Hash {
    pub(super) fn start(hub: &Hub) -> Self {
        let (pieces, mut to_come) = mpsc::channel::<Bytes>(PIECES);
        let (done, whole) = oneshot::channel();
        hub.spawn(async move {
            let mut hasher = blake3::Hasher::new();
            // A piece is what one read brought: a tenth of a millisecond's work.
            while let Some(piece) = to_come.recv().await {
                hasher.update(&piece);
            }
            let _ = done.send(Digest::Blake3(*hasher.finalize().as_bytes()));
        });
        Self { pieces, whole }
    }

    /// Takes the next piece, once there is room.
    pub(super) async fn take(&self, piece: Bytes) {
        // It ends before the upload only with the server.
        let _ = self.pieces.send(piece).await;
    }

    /// The digest of all pieces; none when the server ends first.
    pub(super) async fn finish(self) -> Option<Digest> {
        drop(self.pieces);
        self.whole.await.ok()
    }
}
