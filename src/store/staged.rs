//! What a crash leaves in a folder beside the files it was writing (`name#1`): nothing ever reads it, and here
//! it is removed. Only files of that form in the folders of the store are touched.

use std::path::Path;
use std::time::Duration;

use super::StoreError;

/// The folders of the store.
const OURS: [&str; 5] = ["chunks", "leases", "manifests", "records", "trash"];

/// Removes what was not finished within this time; how many files that were.
pub(super) fn remove(folder: &Path, least_age: Duration) -> Result<usize, StoreError> {
    let mut count = 0;
    for name in OURS {
        remove_below(&folder.join(name), least_age, &mut count)
            .map_err(|error| StoreError::Away(error.to_string()))?;
    }
    Ok(count)
}

fn remove_below(folder: &Path, least_age: Duration, count: &mut usize) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            remove_below(&entry.path(), least_age, count)?;
        } else if kind.is_file() && is_staged(&entry.file_name()) {
            let age = entry.metadata().ok().and_then(|data| data.modified().ok()?.elapsed().ok());
            if age.is_some_and(|age| age >= least_age) && std::fs::remove_file(entry.path()).is_ok() {
                *count += 1;
            }
        }
    }
    Ok(())
}

fn is_staged(name: &std::ffi::OsStr) -> bool {
    let number = name.to_str().and_then(|name| name.rsplit_once('#'));
    number.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
