//! The task of one fetch: the source of its transfer, with a reader for each lane that is pulled. It ends with
//! its transfer, or with the hub. What may be fetched was judged before.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;

use super::desk::Desk;
use super::pulls::{FetchPort, News, Pulls};
use super::reader::{CHUNK, From, Held, Reader, Shared};
use crate::hub::{Answer, Hub, Outcome, SourceBox, TransferCommand, TransferHandle};
use crate::protocol::transfers::SourceOpened;
use crate::protocol::{ErrorCode, Refusal, Secret, TransferId, TransferState};
use crate::room::PeerId;

/// How soon a source whose port was let go of opens again, where its transfer has not ended.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it does so.
const MOST_AGAIN: u32 = 10;

/// What is fetched, and for which transfer.
pub(super) struct Job {
    /// Where its transfer is.
    pub hub: Hub,
    /// What is fetched.
    pub url: Url,
    /// By what means.
    pub from: From,
    /// Which transfer.
    pub transfer: TransferId,
    /// Who holds this is its source.
    pub token: Secret,
    /// Places of fetches that may talk to their origins at once.
    pub slots: Arc<Semaphore>,
}

/// How a fetch ended.
#[derive(Debug)]
pub(super) enum End {
    /// With its transfer, or another node does it.
    Over,
    /// It failed; its transfer is yet to be told.
    Failed(Failed),
}

/// A fetch that failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// Why.
    pub why: Refusal,
    transfer: TransferHandle,
    peer: PeerId,
}

impl Failed {
    /// Has the transfer fail.
    pub(super) async fn tell(self) {
        let (told, heard) = oneshot::channel();
        let answer = Answer::new(move |outcome: Outcome<()>| drop(told.send(outcome)));
        self.transfer.send_when_there_is_room(TransferCommand::SourceFail { peer: self.peer, answer }).await;
        let _ = heard.await;
    }
}

impl Job {
    /// Serves the transfer until it ends. `first` is a body that begins at the file's first byte, if one is at
    /// hand.
    pub(super) async fn run(self, first: Option<Held>) -> End {
        let Self { hub, url, from, transfer, token, slots } = self;
        let handle = hub.transfer_at(&transfer);
        let chunk = CHUNK.min(usize::try_from(hub.chunk_sizes().max).unwrap_or(CHUNK));
        let slot = Mutex::new(first.as_ref().map_or_else(Weak::new, |(_, slot)| Arc::downgrade(slot)));
        let peer = hub.next_peer();
        let pulls = Arc::new(Pulls::default());
        let shared = Arc::new(Shared { url, from, transfer: handle, peer, chunk, pulls, slots, slot });
        let mut serving = Serving { shared, readers: JoinSet::new() };
        let mut first = first;
        for _ in 0..MOST_AGAIN {
            serving.shared.pulls.reopen();
            if let Some(body) = first.take() {
                serving.read(serving.shared.pulls.begin(), Some(body));
            }
            if open(&serving.shared, &token).await.is_err() {
                return End::Over;
            }
            match serving.serve().await {
                Ok(Some(state)) if state.is_final() => return End::Over,
                // The node was cut off for a while, or another home was chosen.
                Ok(_) => sleep(AGAIN).await,
                Err(why) => {
                    let (transfer, peer) = (serving.shared.transfer.clone(), serving.shared.peer);
                    return End::Failed(Failed { why, transfer, peer });
                }
            }
            serving.readers = JoinSet::new();
        }
        End::Over
    }
}

async fn open(shared: &Shared, token: &Secret) -> Outcome<SourceOpened> {
    let (answer, opened) = oneshot::channel();
    let open = TransferCommand::OpenSource {
        peer: shared.peer,
        token: token.clone(),
        port: SourceBox(Box::new(FetchPort(shared.pulls.clone()))),
        answer: Answer::new(move |outcome| drop(answer.send(outcome))),
    };
    if !shared.transfer.send_when_there_is_room(open).await {
        return Err(ErrorCode::TransferNotFound.into());
    }
    opened.await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))
}

struct Serving {
    shared: Arc<Shared>,
    readers: JoinSet<Result<(), Refusal>>,
}

impl Serving {
    fn read(&mut self, desk: Arc<Desk>, body: Option<Held>) {
        self.readers.spawn(Reader::new(self.shared.clone(), desk, body).run());
    }

    /// Until the transfer lets go of the port; then the state that it told last.
    async fn serve(&mut self) -> Result<Option<TransferState>, Refusal> {
        loop {
            tokio::select! {
                biased;
                news = self.shared.pulls.news() => match news {
                    News::Readers(desks) => desks.into_iter().for_each(|desk| self.read(desk, None)),
                    News::Refused(refusal) => return Err(refusal),
                    News::Closed(state) => return Ok(state),
                },
                Some(read) = self.readers.join_next() => {
                    read.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))?;
                }
            }
        }
    }
}
