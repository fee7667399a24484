//! The TypeScript half of the contract: one file, made from the Rust types, and the test that it is
//! fresh. It refuses to be edited by hand.

use ts_rs::{Config, TS};

use super::{code, digest, envelope, fetches, field, id, name, rooms, state, transfers};

const FILE: &str = "client-demo/src/sdk/protocol.ts";

fn declarations() -> String {
    let config = Config::new().with_large_int("number");
    let mut text = String::from(
        "// The words on the wire, made from the server's own types by `make types`. Not to be edited:\n\
         // a test of the server fails when this file is stale.\n",
    );
    macro_rules! declare {
        ($($type:ty),+ $(,)?) => { $(
            text.push_str("\nexport ");
            text.push_str(&<$type as TS>::decl(&config));
            text.push('\n');
        )+ };
    }
    declare!(
        id::RoomId,
        id::MemberId,
        id::DropId,
        id::TransferId,
        id::MessageId,
        id::ResourceId,
        id::Secret,
        field::DisplayName,
        field::Note,
        field::Passphrase,
        field::MediaType,
        field::Preview,
        name::FileName,
        name::FolderPath,
        digest::Digest,
        code::ErrorCode,
        envelope::Envelope<()>,
        envelope::Problem,
        state::TransferState,
        state::ReceiverState,
        rooms::Join,
        rooms::Joined,
        rooms::Services,
        rooms::Member,
        rooms::Presence,
        rooms::Leave,
        rooms::Say,
        rooms::Said,
        rooms::Message,
        rooms::Offer,
        rooms::FileOffer,
        rooms::OfferTaken,
        rooms::OutgoingTransfer,
        rooms::OfferedDrop,
        rooms::OfferedTransfer,
        rooms::Pick,
        rooms::Accepted,
        rooms::AcceptedDrop,
        rooms::Steer,
        rooms::Presented,
        rooms::Status,
        rooms::Receiver,
        rooms::StoredCopy,
        rooms::CopyState,
        transfers::SourceOpen,
        transfers::SourceOpened,
        transfers::ChunkSizes,
        transfers::Opened<()>,
        transfers::OpenedOne<()>,
        transfers::SinkOpen,
        transfers::SinkOpened,
        transfers::Pull,
        transfers::Stop,
        transfers::Chunk,
        transfers::ChunkTaken,
        transfers::SourceEnd,
        transfers::SourceFail,
        transfers::SinkDone,
        transfers::End,
        fetches::Start,
        fetches::Started,
        fetches::Stop,
        fetches::Progress,
        fetches::Ended,
    );
    text
}

#[test]
fn the_sdk_speaks_the_servers_own_types() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let fresh = declarations();
    if std::env::var_os("ROOMDROP_WRITE_TYPES").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "{FILE} is stale: run `make types`");
}
