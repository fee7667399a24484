/**
 * The roomdrop SDK: rooms, drops and transfers from any frontend. The one door; what is not exported here
 * is not part of it.
 */
export { autoSink } from "./autoSink";
export { type Connection, type ConnectOptions, connect } from "./connect";
export type { Drop } from "./Drop";
export type { AcceptOptions, Which } from "./Drops";
export type { Fetch, FetchOptions, FetchStage } from "./Fetch";
export type { Fetches } from "./Fetches";
export type { HandleShelf } from "./HandleShelf";
export { httpDownload } from "./httpDownload";
export type { Incoming, IncomingStage } from "./Incoming";
export { type JoinOptions, joinRoom } from "./joinRoom";
export type { LiveBytes, LiveFile } from "./LiveSource";
export { memorySink } from "./memorySink";
export type { Outgoing, OutgoingStage } from "./Outgoing";
export { opfsAvailable, opfsSink, sweepOpfs } from "./opfsSink";
export type {
  DropId,
  ErrorCode,
  Member,
  MemberId,
  Presence,
  ReceiverState,
  Services,
  TransferId,
  TransferState,
} from "./protocol";
export type { RecordStorage } from "./Records";
export type { Room } from "./Room";
export { type AnyErrorCode, type LocalErrorCode, RoomdropError } from "./RoomdropError";
export type { EachOptions, RoomEvents, RoomState, Who } from "./roomEvents";
export type { FileInFolder, Offerable, OfferOptions } from "./Sending";
export type { Finished, HttpDownload, Sink, SinkChoice, SinkOpener, SinkTarget } from "./Sink";
export type { Message, Seal } from "./seal/opened";
export { type Hasher, type OpenOptions, openSealed, wireRange } from "./seal/openSealed";
export type { Sealing } from "./seal/records";
export { canSeal, makeSecret } from "./seal/secret";
export { type StreamSink, streamSink } from "./streamSink";
export type { Copy, Progress, ReceiverProgress } from "./Transfer";
