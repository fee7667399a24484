//! The plans that were spoken of lately, so that not every chunk has its plan read again. A plan never changes, so
//! what is remembered is never wrong; what is forgotten is read again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::part::Parts;
use super::plan::Plan;
use crate::protocol::uploads::{ChunkId, FileId};

/// Plans that are remembered, at most: a megabyte or less each.
const MOST: usize = 64;

/// A plan, and what of it was here when someone looked last.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) plan: Plan,
    seen: Mutex<Parts>,
}

impl Known {
    /// Whether a chunk was here. It may be gone since.
    pub(super) fn has_seen(&self, chunk: &ChunkId) -> bool {
        lock(&self.seen).of(chunk).is_some()
    }

    pub(super) fn see(&self, parts: Parts) {
        *lock(&self.seen) = parts;
    }
}

/// The plans, latest first.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<Vec<Arc<Known>>>);

impl Plans {
    /// Remembers a plan as the latest.
    pub(super) fn remember(&self, plan: Plan) -> Arc<Known> {
        let mut plans = lock(&self.0);
        let is_it = |known: &Arc<Known>| known.plan == plan;
        let known = match plans.iter().position(is_it) {
            Some(at) => plans.remove(at),
            None => Arc::new(Known { plan, seen: Mutex::default() }),
        };
        plans.truncate(MOST - 1);
        plans.insert(0, known.clone());
        known
    }

    /// The latest plan of this file that has this chunk.
    pub(super) fn latest(&self, file: FileId, chunk: &ChunkId) -> Option<Arc<Known>> {
        let plans = lock(&self.0);
        plans.iter().find(|known| known.plan.file == file && known.plan.contains(chunk)).cloned()
    }

    /// Forgets all plans of a file.
    pub(super) fn forget(&self, file: FileId) {
        lock(&self.0).retain(|known| known.plan.file != file);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::uploads::Extension;

    fn plan(file: usize, chunk: u8, ext: &str) -> Plan {
        let chunks = [chunk, 0].map(id).to_vec();
        Plan::new(FileId::new(&format!("{file:032x}")).unwrap(), Extension::new(ext).unwrap(), chunks)
            .unwrap()
    }

    fn id(number: u8) -> ChunkId {
        ChunkId::new(format!("{number:032x}")).unwrap()
    }

    #[test]
    fn of_several_plans_with_a_chunk_the_one_counts_that_was_spoken_of_last() {
        let plans = Plans::default();
        let (first, second) = (plans.remember(plan(1, 1, ".a")), plans.remember(plan(1, 2, ".a")));
        let file = first.plan.file;
        assert!(Arc::ptr_eq(&plans.latest(file, &id(0)).unwrap(), &second));
        assert!(Arc::ptr_eq(&plans.latest(file, &id(1)).unwrap(), &first));
        assert!(Arc::ptr_eq(&plans.remember(plan(1, 1, ".a")), &first), "it is the same still");
        assert!(Arc::ptr_eq(&plans.latest(file, &id(0)).unwrap(), &first));
        let other = plans.remember(plan(1, 1, ".b"));
        assert_eq!(plans.latest(file, &id(1)).unwrap().plan.ext, other.plan.ext);
        assert!(plans.latest(file, &id(9)).is_none());
        plans.forget(file);
        assert!(plans.latest(file, &id(1)).is_none());
    }

    #[test]
    fn what_was_not_spoken_of_for_long_is_forgotten() {
        let plans = Plans::default();
        for file in 0..=MOST {
            plans.remember(plan(file, 1, ""));
        }
        let of = |file: usize| FileId::new(&format!("{file:032x}")).unwrap();
        assert!(plans.latest(of(0), &id(1)).is_none());
        assert!(plans.latest(of(1), &id(1)).is_some());
    }
}
