/**
 * A room's server without a network, for tests of rooms: it remembers what it was asked, and answers as the
 * protocol reference says for one drop of this member's and whatever `drops` says is there.
 */
import type { Asks } from "../events";
import type { HandleShelf } from "../HandleShelf";
import type { Incoming } from "../Incoming";
import { memorySink } from "../memorySink";
import { Parties } from "../Parties";
import type {
  Join,
  Joined,
  Message,
  Offer,
  Drop as OfferedDrop,
  Pick,
  Receiver,
  ReceiverState,
  SourceOpen,
  Status,
  TransferState,
} from "../protocol";
import { type RecordStorage, Records } from "../Records";
import { Room } from "../Room";
import type { RoomdropError } from "../RoomdropError";
import type { Who } from "../roomEvents";
import { FakeLink } from "./FakeLink";

export const ME = { id: "m1", name: "Ada" };
export const OTHER = { id: "m2", name: "Bo" };

/** What the server of these tests was asked, and what it has in the room. */
export class FakeRoom {
  readonly asked: { event: string; say: unknown }[] = [];
  drops: OfferedDrop[] = [];
  messages: Message[] = [];
  /** Who whoever joins is. */
  member = ME;
  /** Thrown by the next asks of an event, one each. */
  readonly refuse: Partial<Record<keyof Asks, RoomdropError[]>> = {};
  readonly people = new FakeLink((event, say) => this.#answer(event, say));
  readonly bytes = new FakeLink((event, say) => this.#answer(event, say));

  of(event: string): unknown[] {
    return this.asked.filter((one) => one.event === event).map(({ say }) => say);
  }

  #answer(event: keyof Asks, say: unknown): unknown {
    this.asked.push({ event, say });
    const refusal = this.refuse[event]?.shift();
    if (refusal) throw refusal;
    switch (event) {
      case "room:join":
        return this.#joined(say as Join);
      case "drop:offer":
        return {
          drop: "d1",
          transfers: (say as Offer).files.map(({ name }, index) => ({
            transfer: `t${index}`,
            name,
            token: `source${index}`,
          })),
        };
      case "source:open":
        return this.#opened(say as SourceOpen);
      case "transfer:accept":
        return this.#accepted(say as Pick);
      default:
        return {};
    }
  }

  #opened({ token, tokens }: SourceOpen) {
    const one = { transfer: "t0", size: 10, chunk: { min: 1, max: 1_000_000 } };
    return token ? one : { transfers: tokens?.map(() => one) };
  }

  #joined({ room, key = "key" }: Join): Joined {
    const members = [ME, OTHER].map((member) => ({ ...member, online: true }));
    const server = { keeps: null, fetches: true };
    return { room, member: this.member, key, members, drops: this.drops, messages: this.messages, server };
  }

  #accepted({ transfer, drop }: Pick) {
    const one = (id: string) => ({
      transfer: id,
      token: `sink-${id}`,
      name: "a",
      size: 10,
      type: "text/plain",
      url: `/transfers/${id}/content?token=sink-${id}`,
    });
    if (transfer) return one(transfer);
    const transfers = this.drops.find((offered) => offered.drop === drop)?.transfers ?? [];
    return { transfers: transfers.map((each) => one(each.transfer)), zip: "/drops/d/content" };
  }
}

export function memoryStorage(): RecordStorage {
  const items = new Map<string, string>();
  return {
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}

export function enter(
  server: FakeRoom,
  storage: RecordStorage = memoryStorage(),
  who: Who = { name: "Ada" },
  handles?: HandleShelf,
) {
  const parties = new Parties(server.bytes);
  const room = new Room(
    {
      room: "r",
      link: server.people,
      fetchLink: () => server.people,
      parties,
      records: new Records(storage, "http://server", "r"),
      handles,
      sinks: [memorySink()],
      sink: memorySink(),
      digest: false,
      base: "http://server",
    },
    who,
  );
  const up = () => {
    server.people.up = true;
    server.bytes.up = true;
    room.linkUp();
    parties.linkUp();
  };
  const down = () => {
    server.people.cut();
    server.bytes.cut();
    room.linkDown();
    parties.linkDown();
  };
  return { room, parties, up, down };
}

export function offeredBy(
  member: typeof ME,
  count = 1,
  state: TransferState = "offered",
  size = 10,
): OfferedDrop {
  const transfers = Array.from({ length: count }, (_, index) => ({
    transfer: `t${index}`,
    name: `file ${index}`,
    size,
    type: "text/plain",
    state,
  }));
  return {
    room: "r",
    drop: "d1",
    from: member.id,
    fromName: member.name,
    at: 1,
    keep: false,
    note: null,
    transfers,
  };
}

export function status(
  transfer: string,
  state: TransferState,
  mine?: ReceiverState,
): { code: number; msg: string; data: Status } {
  const receivers: Receiver[] = mine ? [{ member: ME.id, state: mine, received: 0 }] : [];
  const facts = { size: 10, sent: 0, bytesPerSecond: 0, etaSeconds: null };
  return { code: 100, msg: "", data: { transfer, state, receivers, ...facts } };
}

export function incoming(room: Room): Incoming[] {
  return room.drops.flatMap((drop) => drop.transfers).filter((one) => one.direction === "incoming");
}
