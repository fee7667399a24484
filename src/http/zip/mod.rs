//! `GET` and `HEAD /drops/{id}/content`: what a member has accepted of a drop, as one ZIP that is written
//! while it is read. Nothing is stored: each file is a download of its transfer, opened when its turn
//! comes. It decides the headers; what may be had, and by whom, the transfers decide.

mod body;
mod framing;
mod names;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use self::body::{Part, ZipBody};
use self::framing::Entry;
use super::content::PATIENCE;
use super::disposition;
use super::error::Refused;
use crate::hub::{Answer, File, Hub, Outcome, RoomCommand, RoomHandle, TransferCommand, TransferHandle, ask};
use crate::protocol::{DropId, ErrorCode, MemberId, Secret, TransferId};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    token: Option<String>,
}

/// Serves both methods; a `HEAD` opens nothing.
pub(super) async fn serve(
    State(hub): State<Hub>,
    method: Method,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(wanted) = query.map_err(|_| ErrorCode::BadRequest)?;
    let drop = DropId::new(&id).ok_or(ErrorCode::DropNotFound)?;
    let token = wanted.token.as_deref().and_then(Secret::new);
    let transfers = transfers_of(&hub, drop, token.as_ref()).await?;
    let token = token.ok_or(ErrorCode::NotAllowed)?;
    let member = member_of(&hub, token, &transfers).await?;
    let parts = parts(&member, transfers).await?;
    let length = framing::length(parts.iter().map(|part| &part.entry));
    let name = names::archive(parts.iter().map(|part| part.entry.name.as_str()));
    let mut response = head(&name, length).into_response();
    if method == Method::GET {
        *response.body_mut() = Body::new(ZipBody::open(hub, member, parts).await?);
    }
    Ok(response)
}

async fn transfers_of(
    hub: &Hub,
    drop: DropId,
    token: Option<&Secret>,
) -> Outcome<Vec<(TransferId, TransferHandle)>> {
    let room = match (hub.room_of_drop(&drop), token) {
        (Some(room), _) => room,
        (None, Some(token)) => room_of_token(hub, token).await?,
        (None, None) => return Err(ErrorCode::DropNotFound.into()),
    };
    ask(|answer| {
        room.try_send(RoomCommand::Transfers { drop, answer });
    })
    .await
}

/// The room of a drop that this node knows nothing of yet.
async fn room_of_token(hub: &Hub, token: &Secret) -> Outcome<RoomHandle> {
    let found = hub.find_transfer(token, PATIENCE).await;
    let (_, transfer) = found.map_err(|error| match error {
        ErrorCode::TransferNotFound => ErrorCode::DropNotFound,
        other => other,
    })?;
    let room = ask(|answer| transfer.send(TransferCommand::Where { answer })).await?;
    Ok(hub.room_for(&room))
}

/// Whose sink token it is, of any transfer of the drop.
async fn member_of(
    hub: &Hub,
    token: Secret,
    transfers: &[(TransferId, TransferHandle)],
) -> Outcome<MemberId> {
    let (id, transfer) = hub.find_transfer(&token, PATIENCE).await.map_err(|_| ErrorCode::NotAllowed)?;
    if !transfers.iter().any(|(known, _)| *known == id) {
        return Err(ErrorCode::NotAllowed.into());
    }
    ask(|answer| transfer.send(TransferCommand::Whose { token, answer })).await
}

/// What the member has accepted and can still have, in the order of the offer.
async fn parts(member: &MemberId, transfers: Vec<(TransferId, TransferHandle)>) -> Outcome<Vec<Part>> {
    let claims = ask(|answer: Answer<Vec<Outcome<std::sync::Arc<File>>>>| {
        for ((_, transfer), answer) in transfers.iter().zip(answer.parts(transfers.len())) {
            transfer.send(TransferCommand::Claim { member: member.clone(), answer });
        }
    })
    .await?;
    let mut had = Vec::with_capacity(claims.len());
    for ((_, transfer), claim) in transfers.into_iter().zip(claims) {
        match claim {
            Ok(file) => had.push((transfer, file)),
            Err(refusal) if is_left_out(refusal.code) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    if had.is_empty() {
        return Err(ErrorCode::TransferClosed.into());
    }
    let names = names::entries(had.iter().map(|(_, file)| file.as_ref()));
    let part = |((transfer, file), name): ((TransferHandle, std::sync::Arc<File>), String)| Part {
        transfer,
        entry: Entry { name, size: file.size, modified: file.modified },
    };
    Ok(had.into_iter().zip(names).map(part).collect())
}

/// Not accepted, or not to be had any more. Anything else must not make a file disappear from the ZIP.
fn is_left_out(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NotAllowed | ErrorCode::TransferClosed)
}

fn head(name: &str, length: Option<u64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(CONTENT_DISPOSITION, disposition::attachment(name));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    headers
}
