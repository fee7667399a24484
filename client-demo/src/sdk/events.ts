/**
 * Which event carries which of the generated types: the protocol reference's tables as TypeScript, so that
 * the compiler refuses an event with the wrong argument. Nothing here exists at run time.
 */
import type {
  Accepted,
  AcceptedDrop,
  Chunk,
  ChunkTaken,
  Drop,
  End,
  Envelope,
  FetchEnded,
  FetchProgress,
  FetchStart,
  FetchStarted,
  FetchStop,
  Join,
  Joined,
  Leave,
  Message,
  Offer,
  OfferTaken,
  Opened,
  Pick,
  Presented,
  Problem,
  Pull,
  Said,
  Say,
  SinkDone,
  SinkOpen,
  SinkOpened,
  SourceEnd,
  SourceFail,
  SourceOpen,
  SourceOpened,
  Status,
  Steer,
  Stop,
} from "./protocol";

/** Client to server, acknowledged: what is said, and the `data` that is heard back on success. */
export interface Asks {
  "room:join": { say: Join; hear: Joined };
  "room:leave": { say: Leave; hear: object };
  "room:message": { say: Say; hear: Said };
  "drop:offer": { say: Offer; hear: OfferTaken };
  "transfer:accept": { say: Pick; hear: Accepted | AcceptedDrop };
  "transfer:reject": { say: Pick; hear: object };
  "transfer:pause": { say: Steer; hear: object };
  "transfer:resume": { say: Steer; hear: object };
  "transfer:cancel": { say: Steer; hear: object };
  "source:open": { say: SourceOpen; hear: SourceOpened | Opened<SourceOpened> };
  chunk: { say: Chunk; hear: ChunkTaken };
  "source:end": { say: SourceEnd; hear: object };
  "source:fail": { say: SourceFail; hear: object };
  "sink:open": { say: SinkOpen; hear: SinkOpened | Opened<SinkOpened> };
  pull: { say: Pull; hear: object };
  "sink:done": { say: SinkDone; hear: object };
  "fetch:start": { say: FetchStart; hear: FetchStarted };
  "fetch:stop": { say: FetchStop; hear: object };
}

/** Server to client: the first argument of each event. */
export interface Tells {
  "room:joined": Presented;
  "room:left": Presented;
  "room:message": Message;
  "drop:offered": Drop;
  "transfer:status": Envelope<Status>;
  "transfer:end": End;
  pull: Pull;
  stop: Stop;
  chunk: Chunk;
  "fetch:progress": FetchProgress;
  "fetch:complete": FetchEnded;
  "fetch:failed": FetchEnded;
  problem: Envelope<Problem>;
}
