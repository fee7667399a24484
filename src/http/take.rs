//! `GET` and `HEAD /rooms/{room}/{filename}`: the newest open drop of that name, for what has no socket and so
//! cannot accept. The request is a member of the room for as long: it accepts, takes the bytes, and leaves. It
//! refuses what a browser asks for by a link, which is the room's page: a look at it must not take anyone's file.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::content;
use super::error::Refused;
use super::visit::{Place, Visit};
use crate::hub::{Answer, Described, Hub, Outcome, PeerPort, RoomCommand, Source, TransferHandle, Wish};
use crate::protocol::rooms::{Accepted, OfferedDrop, OfferedTransfer};
use crate::protocol::transfers::SinkOpened;
use crate::protocol::{ErrorCode, FileName, Refusal, Secret, TransferId};
use crate::room::Event;

/// Files of one name that are tried, newest first; those before them have been closed for long.
const TRIES: usize = 64;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    name: Option<String>,
    wait: Option<String>,
    inline: Option<String>,
}

/// Serves both methods; a `HEAD` accepts nothing.
pub(super) async fn serve(
    State(hub): State<Hub>,
    method: Method,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (Ok(Path(path)), Ok(Query(wanted))) = (path, query) else {
        return Err(ErrorCode::BadRequest.into());
    };
    let inline = wanted.inline.as_deref() == Some("1");
    let patience = patience(wanted.wait.as_deref(), hub.options().transfer.lifetime)?;
    let place = Place::of(&path, wanted.name, &headers)?;
    if wants_a_page(&headers) {
        let page = Redirect::to(&format!("/rooms/{}", place.room)).into_response();
        return Ok(with_vary(page));
    }
    let (told, offers) = watch::channel(None);
    let port = Arc::new(Link { file: place.file.clone(), told });
    let (mut visit, joined) = Visit::enter(&hub, &place, port).await?;
    let mut search = Search::new(&place.file, joined.drops, offers, Instant::now() + patience);
    if method == Method::HEAD {
        let found = search.next().await.ok_or_else(nothing)?;
        return Ok(with_vary(content::head_of(&described(found), inline)?));
    }
    let (transfer, token) = accept(&hub, &mut visit, &mut search).await?;
    let response = content::answer(&hub, method, &headers, transfer, token, inline).await?;
    Ok(with_vary(response.map(|body| Body::new(Held { body, visit: Some(visit) }))))
}

/// Accepts the newest that can still be had.
async fn accept(hub: &Hub, visit: &mut Visit, search: &mut Search) -> Outcome<(TransferHandle, Secret)> {
    while let Some(found) = search.next().await {
        let transfer = found.transfer;
        let asked = transfer.clone();
        let accepting = |peer, answer| RoomCommand::Accept { peer, transfer: asked, answer };
        match visit.say::<Accepted>(accepting).await {
            Ok(accepted) => {
                let handle = hub.transfer(&transfer).ok_or(ErrorCode::TransferNotFound)?;
                // Whoever breaks off does not come back as the same member: nobody is to wait for it.
                visit.say_at_last(move |peer| {
                    let answer = Answer::new(drop);
                    Some(RoomCommand::Steer { peer, transfer, wish: Wish::Cancel, answer })
                });
                return Ok((handle, accepted.token));
            }
            Err(refusal) if is_over(refusal.code) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Err(nothing())
}

/// Not to be had any more; an older one of the name, or one to come, may be.
fn is_over(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::TransferClosed | ErrorCode::TransferNotFound)
}

fn nothing() -> Refusal {
    let why =
        "There is no open drop of this name in the room; wait for one with ?wait=10m, or check the name.";
    Refusal::new(ErrorCode::TransferNotFound, why)
}

/// What a browser asks for when someone follows a link.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.to_ascii_lowercase().contains("text/html"))
}

fn with_vary(mut response: Response) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// How long to wait: not at all, or `?wait=` seconds, or a time like `10m`; alone, as long as a transfer lives.
fn patience(wait: Option<&str>, most: Duration) -> Outcome<Duration> {
    let asked = match wait {
        None => return Ok(Duration::ZERO),
        Some("") => return Ok(most),
        Some(text) => match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => humantime::parse_duration(text).ok(),
        },
    };
    let why = "wait is a number of seconds, or a time like 10m.";
    Ok(asked.ok_or_else(|| Refusal::new(ErrorCode::BadRequest, why))?.min(most))
}

/// The request's link to its room: it hears of offers of its file, and only the newest counts.
struct Link {
    file: FileName,
    told: watch::Sender<Option<OfferedTransfer>>,
}

impl PeerPort for Link {
    fn tell(&self, event: &Event) {
        if let Event::Offered(drop) = event
            && let Some(found) = drop.transfers.iter().rev().find(|transfer| transfer.name == self.file)
        {
            self.told.send_replace(Some(found.clone()));
        }
    }
}

/// The transfers of one file name: those that are there, newest first, then those to come.
struct Search {
    there: std::vec::IntoIter<OfferedTransfer>,
    offers: watch::Receiver<Option<OfferedTransfer>>,
    tried: Vec<TransferId>,
    until: Instant,
}

impl Search {
    fn new(
        file: &FileName,
        drops: Vec<OfferedDrop>,
        offers: watch::Receiver<Option<OfferedTransfer>>,
        until: Instant,
    ) -> Self {
        let of_drop = |drop: OfferedDrop| drop.transfers.into_iter().rev();
        let fits = |transfer: &OfferedTransfer| transfer.name == *file && !transfer.state.is_final();
        let there: Vec<_> = drops.into_iter().rev().flat_map(of_drop).filter(fits).take(TRIES).collect();
        Self { there: there.into_iter(), offers, tried: Vec::new(), until }
    }

    /// The next to try; none when the time is over.
    async fn next(&mut self) -> Option<OfferedTransfer> {
        loop {
            let found = match self.there.next() {
                Some(found) => found,
                None => {
                    timeout_at(self.until, self.offers.changed()).await.ok()?.ok()?;
                    self.offers.borrow_and_update().clone()?
                }
            };
            if !self.tried.contains(&found.transfer) {
                // What comes is new; only what was there can come twice.
                self.tried.truncate(TRIES);
                self.tried.push(found.transfer.clone());
                return Some(found);
            }
        }
    }
}

/// What its download would be told, as far as the offer says it.
fn described(found: OfferedTransfer) -> Described {
    let OfferedTransfer { transfer, name, size, media_type, state, .. } = found;
    Described {
        opened: SinkOpened { transfer, name, size, media_type, state, digest: None },
        source: Source::Once,
    }
}

/// A body whose member leaves with it: in peace when all was taken, else giving up its part.
struct Held {
    body: Body,
    visit: Option<Visit>,
}

impl Held {
    fn leave_in_peace(&mut self) {
        if let Some(mut visit) = self.visit.take() {
            visit.forget_last();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Of an empty file nobody may have asked for a frame.
        if self.body.is_end_stream() {
            self.leave_in_peace();
        }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_over = matches!(frame, Poll::Ready(None));
        if is_over || self.body.is_end_stream() {
            self.leave_in_peace();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
