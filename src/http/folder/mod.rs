//! `GET` and `HEAD /download/{path}`: the files of one folder that the operator chose, whole or by range.
//! Nothing outside it can be had, because nothing outside it can be opened: the folder is a capability, and
//! the kernel refuses every path and link that leads out of it. It lists nothing, and refuses to tell what is
//! hidden or forbidden from what is not there.

mod path;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::routing::get;
use cap_fs_ext::OpenOptionsSyncExt;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;

use super::conditions::Validators;
use super::error::Refused;
use super::file::{Answer, File, Wanted};
use crate::protocol::ErrorCode;

/// Where it is served.
const PREFIX: &str = "/download/";
/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// The served folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Folder(Arc<Dir>);

impl Folder {
    /// The folder at `path`, which stays the same even if something else takes its place there.
    ///
    /// # Errors
    /// There is none, or it may not be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        // What can be opened may still not be searched.
        dir.metadata(".")?;
        Ok(Self(Arc::new(dir)))
    }
}

/// What there is to send.
struct Found {
    file: cap_std::fs::File,
    size: u64,
    modified: Option<SystemTime>,
}

/// `/download/{path}`, where there is a folder to serve.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(folder: Option<Folder>) -> Router<S> {
    match folder {
        Some(folder) => Router::new().route("/download/{*path}", get(serve).head(serve)).with_state(folder),
        None => Router::new(),
    }
}

/// Serves both methods; a `HEAD` reads nothing of the file.
async fn serve(
    State(folder): State<Folder>,
    method: Method,
    uri: Uri,
    query: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let Query(wanted) = query.map_err(|_| ErrorCode::BadRequest)?;
    let path = uri.path().strip_prefix(PREFIX).and_then(path::read).ok_or(ErrorCode::NotFound)?;
    let found = {
        let path = path.clone();
        spawn_blocking(move || open(&folder.0, &path)).await.map_err(|_| ErrorCode::Internal)?
    };
    let found = found.map_err(|error| refusal(&error))?;
    let file = File {
        name: path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
        size: found.size,
        validators: Validators::new(found.size, found.modified, SystemTime::now()),
    };
    match file.answer(&method, &headers, wanted.inline())? {
        Answer::Head(response) => Ok(response),
        Answer::Stretch { mut response, from, end } => {
            *response.body_mut() = read(found.file, from, end).await?;
            Ok(response)
        }
    }
}

/// Opens a file, and nothing that is none: looked at before, since opening a device may do something, and
/// again after, since it may be another by then. Waits for no writer of a pipe.
fn open(dir: &Dir, path: &PathBuf) -> io::Result<Found> {
    if !dir.metadata(path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = dir.open_with(path, OpenOptions::new().read(true).nonblock(true))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let modified = metadata.modified().ok().map(|time| time.into_std());
    Ok(Found { file, size: metadata.len(), modified })
}

/// The bytes of `from..end`. A file that has become shorter ends the connection before its announced end.
async fn read(file: cap_std::fs::File, from: u64, end: u64) -> Result<Body, ErrorCode> {
    let mut file = tokio::fs::File::from_std(file.into_std());
    file.set_max_buf_size(PIECE);
    file.seek(io::SeekFrom::Start(from)).await.map_err(|error| refusal(&error))?;
    Ok(Body::from_stream(ReaderStream::with_capacity(file.take(end - from), PIECE)))
}

/// What one may not have is not there, as far as anybody is told.
fn refusal(error: &io::Error) -> ErrorCode {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | PermissionDenied | NotADirectory | InvalidFilename | InvalidInput => ErrorCode::NotFound,
        _ => {
            tracing::warn!(%error, "a file of the served folder could not be read");
            ErrorCode::Internal
        }
    }
}

#[cfg(test)]
mod tests;
