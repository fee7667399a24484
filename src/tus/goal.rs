//! What an upload is to become: a kept drop of the room that its metadata names, from the member whose key came
//! with it, or from a guest. Everything that could be refused at the end for its form is refused here, before a
//! byte is taken.

use super::metadata::Metadata;
use super::{Door, Outcome};
use crate::protocol::rooms::{OfferedDrop, OfferedTransfer};
use crate::protocol::{
    DisplayName, DropId, ErrorCode, FileName, FolderPath, MediaType, MemberId, Moment, Note, Refusal, RoomId,
    Secret, TransferId, TransferState,
};
use crate::room::Shelved;

/// What a drop is made of that nobody says.
pub(super) struct Fresh {
    pub(super) drop: DropId,
    pub(super) transfer: TransferId,
    /// Whose it is, unless a member's key came with it.
    pub(super) key: Secret,
    pub(super) now: Moment,
}

/// The drop that an upload of this size is to become; none where no room is named.
///
/// # Errors
/// `bad_request`, with a sentence that names the rule.
pub(super) fn read(
    said: &Metadata,
    door: Door,
    size: Option<u64>,
    fresh: Fresh,
) -> Outcome<Option<Box<Shelved>>> {
    let Some(room) = said.text(&["room"])? else { return Ok(None) };
    let room = RoomId::new(room).ok_or_else(|| bad("A room's id is 1 to 64 of A-Z a-z 0-9 _ and -."))?;
    let Fresh { drop, transfer, key, now } = fresh;
    let name = file_name(said)?.ok_or_else(|| {
        bad("A drop needs a filename: 1 to 255 bytes, without / \\ or control characters, and not . or ..")
    })?;
    let path = field(
        said,
        "path",
        |text| FolderPath::new(text),
        "path is names of folders with / between, not absolute.",
    )?;
    let note = field(said, "note", |text| Note::new(text), "A note is 2000 characters at most.")?;
    let from_name =
        field(said, "fromName", |text| DisplayName::new(text), "A member's name is 1 to 64 characters.")?;
    let media_type = said.text(&["filetype", "type"])?.and_then(MediaType::new);
    let transfer = OfferedTransfer {
        transfer,
        name,
        path,
        size,
        media_type: media_type.unwrap_or_else(MediaType::unknown),
        modified: None,
        preview: None,
        state: TransferState::Offered,
        copy: None,
    };
    let drop = OfferedDrop {
        from: MemberId::of(&room, &door.key.unwrap_or(key)),
        room,
        drop,
        from_name: from_name.unwrap_or_else(DisplayName::guest),
        at: now.unix_millis(),
        keep: true,
        note,
        transfers: vec![transfer],
    };
    let passphrase = door.passphrase.map(|passphrase| blake3::hash(passphrase.as_str().as_bytes()));
    Ok(Some(Box::new(Shelved { drop, copies: Vec::new(), only: None, passphrase })))
}

/// The name that an upload says, if a file may have it.
pub(super) fn file_name(said: &Metadata) -> Outcome<Option<FileName>> {
    Ok(said.text(&["filename", "name"])?.and_then(FileName::new))
}

fn field<T>(
    said: &Metadata,
    key: &str,
    read: impl Fn(&str) -> Option<T>,
    rule: &'static str,
) -> Outcome<Option<T>> {
    said.text(&[key])?.map(|text| read(text).ok_or_else(|| bad(rule))).transpose()
}

fn bad(rule: &str) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, rule)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn goal(pairs: &[(&str, &str)], key: Option<Secret>) -> Outcome<Option<Box<Shelved>>> {
        let pairs: Vec<_> =
            pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
        let fresh = Fresh {
            drop: DropId::from_random(1),
            transfer: TransferId::from_random(2),
            key: Secret::from_random(3),
            now: Moment::from_micros(4000),
        };
        read(&Metadata::parse(&pairs.join(","))?, Door { passphrase: None, key }, Some(5), fresh)
    }

    #[test]
    fn what_uppy_and_tus_js_client_say_becomes_a_drop() {
        let said = [("room", "calm"), ("name", "ä b.png"), ("type", "image/png"), ("relativePath", "null")];
        let drop = goal(&said, None).unwrap().unwrap().drop;
        let [file] = &drop.transfers[..] else { panic!() };
        assert_eq!(
            (file.name.as_str(), file.media_type.as_str(), file.size),
            ("ä b.png", "image/png", Some(5))
        );
        assert_eq!((drop.room.as_str(), drop.from_name.as_str(), drop.keep), ("calm", "guest", true));
        let key = Secret::from_random(9);
        let of_member = goal(&said, Some(key.clone())).unwrap().unwrap().drop;
        assert_eq!(of_member.from, MemberId::of(&drop.room, &key));
        assert_ne!(of_member.from, drop.from);
        assert!(
            goal(&[("filename", "../x")], None).unwrap().is_none(),
            "without a room a name is only a word"
        );
    }

    #[test]
    fn what_no_offer_may_say_is_refused() {
        for said in [
            &[("room", "a b"), ("filename", "x")][..],
            &[("room", "calm")],
            &[("room", "calm"), ("filename", "../../etc/passwd")],
            &[("room", "calm"), ("filename", "..")],
            &[("room", "calm"), ("filename", "a\0b")],
            &[("room", "calm"), ("filename", "x"), ("path", "/abs")],
            &[("room", "calm"), ("filename", "x"), ("path", "a/../b")],
            &[("room", "calm"), ("filename", "x"), ("fromName", "a\nb")],
        ] {
            assert_eq!(goal(said, None).unwrap_err().code, ErrorCode::BadRequest, "{said:?}");
        }
    }
}
