//! The end of an upload: all parts become one file, whose digest is compared before anyone can have it. It is one
//! task for all who wait for it, and goes on without them; whoever asks again later waits for the same one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::error::refusal;
use super::known::Known;
use super::{Outcome, Uploads};
use crate::protocol::uploads::{Extension, FileId};
use crate::protocol::{ErrorCode, Refusal};
use crate::store::{Manifest, StoreError, Whole};

type Answer = Result<Outcome, Refusal>;
type Coming = watch::Receiver<Option<Answer>>;

/// What is being put together, by file and plan.
#[derive(Debug, Default)]
pub(super) struct Finishing(Mutex<HashMap<(FileId, String), Coming>>);

impl Uploads {
    /// Puts a file together, or waits for whoever does.
    pub(super) async fn finish(&self, known: Arc<Known>) -> Answer {
        let mut coming = self.begin_to_finish(known);
        let answer = coming.wait_for(Option::is_some).await;
        // It ends without an answer only with the server.
        answer.ok().and_then(|answer| answer.clone()).unwrap_or(Err(ErrorCode::Overloaded.into()))
    }

    fn begin_to_finish(&self, known: Arc<Known>) -> Coming {
        let key = (known.plan.file, known.plan.name.clone());
        let mut all = self.0.finishing.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(coming) = all.get(&key).filter(|coming| coming.has_changed().is_ok()) {
            return coming.clone();
        }
        let (done, coming) = watch::channel(None);
        all.insert(key.clone(), coming.clone());
        let uploads = self.clone();
        self.spawn(async move {
            let answer = uploads.put_together(&known).await;
            uploads.0.finishing.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            let is_here = matches!(answer, Ok(Outcome::Here(_)));
            done.send_replace(Some(answer));
            if is_here {
                uploads.clear(known.plan.file).await;
            }
        });
        coming
    }

    async fn put_together(&self, known: &Known) -> Answer {
        // Closed never; and as many wait as there are plans, at most.
        let _turn = self.0.finishes.acquire().await.map_err(|_| ErrorCode::Overloaded)?;
        let plan = &known.plan;
        if let Some(upload) = self.whole(plan.file).await.map_err(refusal)? {
            return Ok(Outcome::Here(upload.ext));
        }
        let parts = self.parts(known).await.map_err(refusal)?;
        let bytes = match self.bytes_of(plan, &parts).await {
            Err(StoreError::NotFound) => {
                let parts = self.parts(known).await.map_err(refusal)?;
                return Ok(Outcome::Needed(plan.needed(&parts)));
            }
            other => other.map_err(refusal)?,
        };
        match self.publish(plan.file, &plan.ext, &bytes).await {
            Err(Unfit::Bytes) => {
                tracing::warn!("an upload is not the file that it was to be, or was damaged; it begins anew");
                let file = plan.file.to_string();
                self.remove_parts([file.as_str(), &plan.name]).await.map_err(refusal)?;
                known.see(Default::default());
                let why = "All chunks are here, but together they are not the file that fileId names; \
                           check fileId and the order of chunkIds, and begin anew with a handshake.";
                Err(Refusal::new(ErrorCode::DigestMismatch, why))
            }
            Err(Unfit::Store(error)) => Err(refusal(error)),
            Ok(()) => Ok(Outcome::Here(plan.ext.clone())),
        }
    }

    /// Makes one file of these bytes, if they are the file's.
    pub(super) async fn publish(
        &self,
        file: FileId,
        ext: &Extension,
        bytes: &[Manifest],
    ) -> Result<(), Unfit> {
        let (id, key) = self.name_whole(file)?;
        let sealed = self.store().join(Whole { id, size: None, lifetime: None }, bytes).await?;
        if !sealed.matches(&file.digest()).await? {
            return Err(Unfit::Bytes);
        }
        // A record alone shows nothing; the manifest is the moment from which the file is there.
        self.store().create_record(&key, ext.as_str().to_owned().into()).await?;
        sealed.publish().await?;
        Ok(())
    }

    /// The file is here: nothing else of it is wanted any more. What is not cleared now ends with its time.
    async fn clear(&self, file: FileId) {
        self.0.plans.forget(file);
        let name = file.to_string();
        let cleared = async {
            self.remove_parts([name.as_str()]).await?;
            self.remove_plans(file).await
        };
        if let Err(error) = cleared.await {
            tracing::warn!(%error, "what is left of an upload cannot be deleted; it goes when its time is over");
        }
    }
}

/// Why bytes became no file.
#[derive(Debug)]
pub(super) enum Unfit {
    /// They are not the file's, or not what they were.
    Bytes,
    /// The storage did not take them.
    Store(StoreError),
}

impl From<StoreError> for Unfit {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged => Self::Bytes,
            error => Self::Store(error),
        }
    }
}
