/**
 * What this member receives: answers offers, pulls a few transfers at a time into their sinks, and finds
 * those again that an earlier page had begun.
 */
import { Admission, type Standing } from "./Admission";
import { Consumer, mismatch } from "./Consumer";
import { Incoming } from "./Incoming";
import type { Accepted, MemberId } from "./protocol";
import type { SinkRecord } from "./Records";
import type { RoomContext } from "./RoomContext";
import { RoomdropError } from "./RoomdropError";
import { isHttpDownload, type SinkChoice, type SinkOpener, type SinkTarget } from "./Sink";
import { sealedSize } from "./seal/layout";
import type { OpenedTransfer } from "./seal/opened";
import { sealedOpener } from "./seal/sealedSink";

export class Receiving {
  readonly #consumers = new Map<string, Consumer>();
  /** Complete, and waiting for the sender's digest. */
  readonly #unverified = new Map<string, Consumer>();
  /** Accepted, and not begun yet, in the order of acceptance. */
  readonly #queue = new Admission<Incoming>();
  readonly #openers = new WeakMap<Incoming, SinkOpener>();
  readonly #incoming = new Map<string, Incoming>();

  constructor(
    private readonly context: RoomContext,
    private readonly me: MemberId,
  ) {}

  /** A transfer as the application sees it; one that an earlier page accepted goes on by itself. */
  transfer(offered: OpenedTransfer): Incoming {
    const incoming = new Incoming(offered, this.me);
    this.#incoming.set(incoming.id, incoming);
    const record = this.context.records.get("sink", incoming.id);
    if (record && incoming.seal !== "locked") this.#restore(incoming, record);
    return incoming;
  }

  /** Accepts transfers, each with a word of its own, all at once; the first refusal is told. */
  async acceptAll(all: readonly Incoming[], choice: SinkChoice): Promise<void> {
    const answers = await Promise.allSettled(all.map((incoming) => this.#accept(incoming, choice)));
    const refused = answers.find((answer) => answer.status === "rejected");
    if (refused) throw refused.reason;
  }

  async #accept(incoming: Incoming, choice: SinkChoice): Promise<void> {
    await this.#asking([incoming], async () => {
      const heard = await this.context.link.ask("transfer:accept", { transfer: incoming.id });
      this.#accepted("transfers" in heard ? heard.transfers : [heard], choice);
    });
  }

  /** Accepts every transfer of a drop with one word. */
  async acceptDrop(drop: string, all: readonly Incoming[], choice: SinkChoice): Promise<void> {
    await this.#asking(all, async () => {
      const heard = await this.context.link.ask("transfer:accept", { drop });
      this.#accepted("transfers" in heard ? heard.transfers : [heard], choice);
    });
  }

  /** After a status: follows what the server, or this member on another page, decided. */
  settle(incoming: Incoming): void {
    if (incoming.final && incoming.stage !== "complete" && !isOver(incoming)) {
      this.#over(incoming, incoming.state === "failed" ? "failed" : "cancelled");
    }
    this.#queue.stands(incoming, standingOf(incoming));
    const mine = incoming.receiverState(this.me);
    if (incoming.stage === "browser" && mine === "complete") {
      this.#remember(incoming, { done: true });
      incoming.completed(undefined);
    }
    // What is complete fails only for its digest, when the server has heard of both.
    if (mine === "failed" && this.#unverified.has(incoming.id)) {
      incoming.error = mismatch();
      this.#over(incoming, "failed");
    }
    if (mine === "failed" && ["receiving", "browser", "waiting", "verifying"].includes(incoming.stage)) {
      this.#over(incoming, "failed");
    }
    this.#pump();
  }

  /** This member gave the transfer up. */
  cancelled(incoming: Incoming): void {
    this.#over(incoming, "cancelled");
    this.#pump();
  }

  /** This member does not want the transfer. */
  rejected(incoming: Incoming): void {
    this.#over(incoming, "rejected");
  }

  close(): void {
    for (const [id, consumer] of [...this.#consumers, ...this.#unverified]) {
      consumer.close();
      this.context.parties.remove(id);
    }
    for (const incoming of this.#incoming.values()) this.#queue.delete(incoming);
    this.#consumers.clear();
    this.#unverified.clear();
  }

  /** Marks `all` as being asked for, and takes that back when the server refuses. */
  async #asking(all: readonly Incoming[], ask: () => Promise<void>): Promise<void> {
    const before = all.map((incoming) => incoming.stage);
    for (const incoming of all) this.#set(incoming, "asking");
    try {
      await ask();
    } finally {
      all.forEach((incoming, index) => {
        if (incoming.stage === "asking") this.#set(incoming, before[index] ?? "offered");
      });
    }
  }

  #accepted(all: readonly Accepted[], choice: SinkChoice): void {
    for (const { transfer, token, url } of all) {
      const incoming = this.#incoming.get(transfer);
      // An accept of a whole drop answers for those that were accepted before, too.
      if (incoming?.stage !== "asking") continue;
      incoming.url = url;
      incoming.error = undefined;
      this.context.records.set("sink", transfer, { token, url, kind: choice.kind, done: false });
      if (isHttpDownload(choice)) {
        this.#set(incoming, "browser");
        choice.start(new URL(url, this.context.base).href, incoming.name, incoming);
      } else {
        this.#enqueue(incoming, choice);
      }
    }
    this.#pump();
  }

  #restore(incoming: Incoming, record: SinkRecord): void {
    incoming.url = record.url;
    const opener = this.context.sinks.find((sink) => sink.kind === record.kind);
    if (record.done) {
      incoming.completed(opener?.find?.(targetOf(incoming)), record.verified);
      return;
    }
    if (incoming.final) return;
    if (record.kind === "http") incoming.stage = "browser";
    else if (opener) this.#enqueue(incoming, opener);
  }

  #enqueue(incoming: Incoming, opener: SinkOpener): void {
    this.#queue.add(incoming);
    this.#openers.set(incoming, opener);
    this.#set(incoming, "waiting");
  }

  /** Begins what waits, as far as others leave room. Called whenever something may have made room. */
  #pump(): void {
    for (const incoming of this.#queue.admit()) {
      const opener = this.#openers.get(incoming);
      if (opener) void this.#begin(incoming, opener);
    }
  }

  async #begin(incoming: Incoming, opener: SinkOpener): Promise<void> {
    const record = this.context.records.get("sink", incoming.id);
    if (!record) return this.#queue.delete(incoming);
    const { sealing } = incoming;
    const consumer = new Consumer({
      target: wireTargetOf(incoming),
      token: record.token,
      opener: sealing ? sealedOpener(opener, sealing, targetOf(incoming)) : opener,
      link: this.context.parties.link,
      openings: this.context.parties.openings,
      member: this.me,
      moved: (held) => {
        incoming.moved(held);
        this.context.changed(incoming);
      },
      verifying: () => {
        this.#queue.delete(incoming);
        this.#set(incoming, "verifying");
        this.#pump();
      },
      done: (sink) => {
        if (consumer.waitsForDigest) this.#unverified.set(incoming.id, consumer);
        else this.context.parties.remove(incoming.id);
        this.#consumers.delete(incoming.id);
        this.#remember(incoming, { done: true });
        incoming.completed(sink);
        this.context.changed(incoming);
        this.#pump();
      },
      verified: () => {
        this.#drop(incoming);
        this.#remember(incoming, { verified: true });
        incoming.proved();
        this.context.changed(incoming);
      },
      failed: (error) => this.#failed(incoming, error),
    });
    this.#consumers.set(incoming.id, consumer);
    this.#set(incoming, "receiving");
    try {
      await consumer.prepare();
      if (this.#consumers.get(incoming.id) === consumer) this.context.parties.add(incoming.id, consumer);
    } catch (error) {
      this.#failed(incoming, RoomdropError.from(error, "sink_failed", "The file could not be stored."));
    }
  }

  /** It fails on this side: the server is told, so that nobody waits for this member. */
  #failed(incoming: Incoming, error: RoomdropError): void {
    incoming.error = error;
    this.#drop(incoming);
    this.context.records.remove("sink", incoming.id);
    this.#set(incoming, "failed");
    // Of digests it knows itself; what does not open, only this side knows.
    const isTold = error.code === "digest_mismatch" && !incoming.sealing;
    if (!isTold && !incoming.final) {
      this.context.link.ask("transfer:cancel", { transfer: incoming.id }).catch(() => undefined);
    }
    this.#pump();
  }

  #over(incoming: Incoming, stage: "rejected" | "cancelled" | "failed"): void {
    const consumer = this.#consumers.get(incoming.id) ?? this.#unverified.get(incoming.id);
    this.#drop(incoming);
    void consumer?.discard().catch(() => undefined);
    this.context.records.remove("sink", incoming.id);
    this.#set(incoming, stage);
  }

  #drop(incoming: Incoming): void {
    this.#queue.delete(incoming);
    this.#consumers.delete(incoming.id);
    this.#unverified.delete(incoming.id);
    this.context.parties.remove(incoming.id);
  }

  #remember(incoming: Incoming, change: Partial<SinkRecord>): void {
    const record = this.context.records.get("sink", incoming.id);
    if (record) this.context.records.set("sink", incoming.id, { ...record, ...change });
  }

  #set(incoming: Incoming, stage: Incoming["stage"]): void {
    incoming.stage = stage;
    this.context.changed(incoming);
  }
}

function standingOf(incoming: Incoming): Standing {
  if (incoming.state === "paused" || incoming.paused) return "resting";
  return incoming.state === "suspended" ? "stalled" : "moving";
}

function isOver(incoming: Incoming): boolean {
  return ["rejected", "cancelled", "failed"].includes(incoming.stage);
}

function targetOf(incoming: Incoming): SinkTarget {
  return { transfer: incoming.id, name: incoming.name, size: incoming.size, type: incoming.type };
}

/** The same, with the size of what comes. */
function wireTargetOf(incoming: Incoming): SinkTarget {
  const { sealing, size } = incoming;
  const isSealed = sealing !== undefined && size !== null;
  return { ...targetOf(incoming), size: isSealed ? sealedSize(size, sealing.record) : size };
}
