// The words on the wire, made from the server's own types by `make types`. Not to be edited:
// a test of the server fails when this file is stale.

export type RoomId = string;

export type MemberId = string;

export type DropId = string;

export type TransferId = string;

export type MessageId = string;

export type ResourceId = string;

export type Secret = string;

export type DisplayName = string;

export type Note = string;

export type Passphrase = string;

export type MediaType = string;

export type Preview = string;

export type FileName = string;

export type FolderPath = string;

export type Digest = string;

export type ErrorCode = "bad_request" | "not_allowed" | "room_not_found" | "room_full" | "drop_not_found" | "transfer_not_found" | "transfer_closed" | "rejected" | "unexpected_chunk" | "upload_busy" | "unsupported_media" | "digest_mismatch" | "too_large" | "rate_limited" | "overloaded" | "source_lost" | "source_failed" | "fetch_failed" | "too_slow" | "range_not_satisfiable" | "precondition_failed" | "not_found" | "storage_full" | "storage_unavailable" | "method_not_allowed" | "expired" | "internal";

export type Envelope<T> = { 
/**
 * 200, 100, 101 or −1.
 */
code: number, 
/**
 * A sentence for people.
 */
msg: string, 
/**
 * What the event's row in the protocol says; on an error, [`Problem`].
 */
data: T, };

export type Problem = { 
/**
 * The stable name.
 */
error: ErrorCode, 
/**
 * The event that failed, where the answer is the event `problem` and no acknowledgement.
 */
event?: string, };

export type TransferState = "offered" | "active" | "paused" | "suspended" | "complete" | "cancelled" | "failed";

export type ReceiverState = "invited" | "accepted" | "receiving" | "paused" | "away" | "complete" | "rejected" | "cancelled" | "failed";

export type Join = { 
/**
 * The room to enter; it comes to be with its first member.
 */
room: RoomId, 
/**
 * The name to show; "guest" when there is none.
 */
name?: DisplayName, 
/**
 * The key of an earlier join, to be the same member again.
 */
key?: Secret, 
/**
 * What opens the room. The first member's becomes the room's.
 */
passphrase?: Passphrase, };

export type Joined = { 
/**
 * The room entered.
 */
room: RoomId, 
/**
 * Who one is.
 */
member: Member, 
/**
 * The secret that makes one the same member again.
 */
key: Secret, 
/**
 * Everyone, oneself included.
 */
members: Array<Presence>, 
/**
 * Open and recent drops that one may see, oldest first.
 */
drops: Array<Drop>, 
/**
 * Recent messages, oldest first.
 */
messages: Array<Message>, 
/**
 * What this server does besides.
 */
server: Services, };

export type Services = { 
/**
 * How long a drop that is offered with `keep` is kept, in milliseconds; `null` where nothing is.
 */
keeps: number | null, 
/**
 * Whether it downloads for members (`/fetches`).
 */
fetches: boolean, };

export type Member = { 
/**
 * Who.
 */
id: MemberId, 
/**
 * What it calls itself.
 */
name: DisplayName, };

export type Presence = { 
/**
 * Who.
 */
id: MemberId, 
/**
 * What it calls itself.
 */
name: DisplayName, 
/**
 * Whether it has a link now; without one it is still a member for the presence grace.
 */
online: boolean, };

export type Leave = { 
/**
 * The room to leave.
 */
room: RoomId, };

export type Say = { 
/**
 * Where.
 */
room: RoomId, 
/**
 * What; at most `limits.message_bytes`.
 */
text: string, };

export type Said = { 
/**
 * The message's id.
 */
id: MessageId, 
/**
 * When it was taken, in milliseconds since the Unix epoch.
 */
at: number, };

export type Message = { 
/**
 * Where.
 */
room: RoomId, 
/**
 * The message's id.
 */
id: MessageId, 
/**
 * When it was taken, in milliseconds since the Unix epoch.
 */
at: number, 
/**
 * Whose.
 */
from: MemberId, 
/**
 * The name its member had then, since it may be gone when this is read.
 */
fromName: DisplayName, 
/**
 * What.
 */
text: string, };

export type Offer = { 
/**
 * Where.
 */
room: RoomId, 
/**
 * One or more files.
 */
files: Array<FileOffer>, 
/**
 * For whom; for everyone when absent.
 */
to?: Array<MemberId>, 
/**
 * Whether the server is to keep a copy.
 */
keep?: boolean, 
/**
 * A word to those who get the offer.
 */
note?: Note, };

export type FileOffer = { 
/**
 * Its name, without folders.
 */
name: FileName, 
/**
 * The folder it lies in.
 */
path?: FolderPath, 
/**
 * Bytes, or `null` when not known yet (a live stream).
 */
size: number | null, 
/**
 * Its media type; an empty text, as browsers give it, counts as none.
 */
type?: MediaType, 
/**
 * When it was last changed, in milliseconds since the Unix epoch.
 */
modified?: number, 
/**
 * A small picture of it.
 */
preview?: Preview, };

export type OfferTaken = { 
/**
 * The drop.
 */
drop: DropId, 
/**
 * Its transfers, in the order of the files.
 */
transfers: Array<OutgoingTransfer>, };

export type OutgoingTransfer = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The file's name.
 */
name: FileName, 
/**
 * The source token, for the sender alone.
 */
token: Secret, };

export type Drop = { 
/**
 * Where.
 */
room: RoomId, 
/**
 * Which.
 */
drop: DropId, 
/**
 * Whose.
 */
from: MemberId, 
/**
 * The name its member had then, since it may be gone when this is read.
 */
fromName: DisplayName, 
/**
 * When it was offered, in milliseconds since the Unix epoch.
 */
at: number, 
/**
 * Whether the server keeps a copy.
 */
keep: boolean, 
/**
 * The sender's word.
 */
note: Note | null, 
/**
 * Its files, in the order of the offer.
 */
transfers: Array<OfferedTransfer>, };

export type OfferedTransfer = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The file's name.
 */
name: FileName, 
/**
 * The folder it lies in.
 */
path?: FolderPath, 
/**
 * Bytes, or `null` while not known.
 */
size: number | null, 
/**
 * Its media type; `application/octet-stream` when the sender gave none.
 */
type: MediaType, 
/**
 * When it was last changed, in milliseconds since the Unix epoch.
 */
modified?: number, 
/**
 * A small picture of it, as the sender gave it.
 */
preview?: Preview, 
/**
 * Where it stands.
 */
state: TransferState, 
/**
 * What became of the copy that the server keeps; only of a drop that was offered with `keep`.
 */
copy?: StoredCopy, };

export type Pick = { 
/**
 * One transfer,
 */
transfer?: TransferId, 
/**
 * or all of a drop.
 */
drop?: DropId, 
/**
 * Why, where it is a rejection.
 */
reason?: Note, };

export type Accepted = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * This member's sink token.
 */
token: Secret, 
/**
 * The file's name.
 */
name: FileName, 
/**
 * Bytes, or `null` while not known.
 */
size: number | null, 
/**
 * Its media type.
 */
type: MediaType, 
/**
 * The path of its HTTP download, token included.
 */
url: string, };

export type AcceptedDrop = { 
/**
 * Every transfer of it that can still be had.
 */
transfers: Array<Accepted>, 
/**
 * The path of one streamed ZIP of all.
 */
zip: string, };

export type Steer = { 
/**
 * Which.
 */
transfer: TransferId, };

export type Presented = { 
/**
 * Where.
 */
room: RoomId, 
/**
 * Who.
 */
member: Member, };

export type Status = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * Where it stands.
 */
state: TransferState, 
/**
 * Bytes, or `null` while not known.
 */
size: number | null, 
/**
 * Bytes that the source has got to the server: the furthest offset of any lane.
 */
sent: number, 
/**
 * Everyone who has the offer.
 */
receivers: Array<Receiver>, 
/**
 * Bytes a second that reach the fastest receiver, over the last seconds; 0 while nothing moves.
 */
bytesPerSecond: number, 
/**
 * Seconds until every receiver that flows has all, at this speed; `null` while not known.
 */
etaSeconds: number | null, 
/**
 * Why it failed.
 */
error?: ErrorCode, 
/**
 * What became of the copy that the server keeps; only of a drop that was offered with `keep`.
 */
copy?: StoredCopy, };

export type Receiver = { 
/**
 * Who.
 */
member: MemberId, 
/**
 * Where it stands.
 */
state: ReceiverState, 
/**
 * Bytes that it safely holds.
 */
received: number, };

export type StoredCopy = { 
/**
 * Where it stands.
 */
state: CopyState, 
/**
 * When it ends, in milliseconds since the Unix epoch; of one that is stored.
 */
until?: number, 
/**
 * Why there is none.
 */
error?: ErrorCode, 
/**
 * The same, for people.
 */
msg?: string, };

export type CopyState = "storing" | "stored" | "failed";

export type SourceOpen = { 
/**
 * One source token,
 */
token?: Secret, 
/**
 * or many at once.
 */
tokens?: Array<Secret>, };

export type SourceOpened = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * Bytes, or `null` for a live stream.
 */
size: number | null, 
/**
 * The sizes that chunks may have.
 */
chunk: ChunkSizes, };

export type ChunkSizes = { 
/**
 * Smaller ones are wasteful, and still taken.
 */
min: number, 
/**
 * Larger ones are refused with `too_large`.
 */
max: number, };

export type Opened<T> = { 
/**
 * One answer per token.
 */
transfers: Array<OpenedOne<T>>, };

export type OpenedOne<T> = T | { 
/**
 * The stable name.
 */
error: ErrorCode, };

export type SinkOpen = { 
/**
 * One sink token,
 */
token?: Secret, 
/**
 * or many at once.
 */
tokens?: Array<Secret>, 
/**
 * The lane of the first pull.
 */
lane?: number, 
/**
 * Everything before this offset is held already; 0 when absent.
 */
from?: number, 
/**
 * Up to here bytes may come; a window beyond `from` when absent.
 */
limit?: number, };

export type SinkOpened = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The file's name.
 */
name: FileName, 
/**
 * Bytes, or `null` while not known.
 */
size: number | null, 
/**
 * Its media type.
 */
type: MediaType, 
/**
 * Where the transfer stands.
 */
state: TransferState, 
/**
 * The whole file's digest, once known.
 */
digest?: Digest, };

export type Pull = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The consumer's number for this run of chunks; a new start has a higher one.
 */
lane: number, 
/**
 * Start here, on a new lane; later, everything before this is safely held.
 */
from: number, 
/**
 * Send up to, not including, this offset.
 */
limit: number, };

export type Stop = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The lane that ends.
 */
lane: number, };

export type Chunk = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The lane it was asked for on.
 */
lane: number, 
/**
 * Where its first byte lies in the file.
 */
offset: number, 
/**
 * The digest of its bytes.
 */
digest?: Digest, };

export type ChunkTaken = { 
/**
 * The end offset taken in.
 */
received: number, };

export type SourceEnd = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The final size of a live stream.
 */
size?: number, 
/**
 * The whole file's digest.
 */
digest?: Digest, };

export type SourceFail = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * Why, for people.
 */
reason: Note, };

export type SinkDone = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * The digest of what was received.
 */
digest?: Digest, };

export type End = { 
/**
 * Which.
 */
transfer: TransferId, 
/**
 * Bytes, all in all.
 */
size: number, 
/**
 * The whole file's digest, once known.
 */
digest?: Digest, };

export type FetchStart = { 
/**
 * Where it becomes a drop.
 */
room: RoomId, 
/**
 * The member's key of that room: the drop is that member's.
 */
key: Secret, 
/**
 * What to fetch: `http` or `https`.
 */
url: string, 
/**
 * The file's name; the origin's when absent.
 */
name?: FileName, 
/**
 * What the asker calls it, to find it again from another link; a random one when absent.
 */
resource?: ResourceId, 
/**
 * Whether the server is to keep a copy.
 */
keep?: boolean, };

export type FetchStarted = { 
/**
 * The transfer that its bytes come by.
 */
transfer: TransferId, 
/**
 * What it is called from now on.
 */
resource: ResourceId, };

export type FetchStop = { 
/**
 * Which.
 */
resource: ResourceId, };

export type FetchProgress = { 
/**
 * Which.
 */
resource: ResourceId, 
/**
 * Its transfer.
 */
transfer: TransferId, 
/**
 * The file's name.
 */
name: FileName, 
/**
 * Bytes that came from the origin: the furthest offset.
 */
received: number, 
/**
 * Bytes, or `null` while not known.
 */
size: number | null, 
/**
 * How much of it that is, 0 to 100 in tenths, rounded down; `null` while the size is not known.
 */
progress: number | null, 
/**
 * Bytes a second that reach the fastest receiver, over the last seconds; 0 while nothing moves.
 */
bytesPerSecond: number, 
/**
 * Seconds until every receiver that flows has all, at this speed; `null` while not known.
 */
etaSeconds: number | null, };

export type FetchEnded = { 
/**
 * Which.
 */
resource: ResourceId, 
/**
 * Its transfer.
 */
transfer: TransferId, 
/**
 * The file's name.
 */
name: FileName, 
/**
 * Why it failed; absent when it is complete, or was stopped.
 */
error?: ErrorCode, 
/**
 * What happened and what to do, for people.
 */
msg: string, };
