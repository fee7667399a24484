/**
 * The room one is in, as signals: how the connection stands, who is here, and what one may not do. It knows how to
 * try something there and to show what went wrong; how one comes in is `route.ts`'s, what is offered `timeline.ts`'s.
 */
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Room, RoomdropError, RoomState, Services } from "../../sdk";
import { type Face, faceOf } from "../hands/self";
import { words } from "../words";
import { complain } from "./problems";

export interface Person {
  id: string;
  face: Face;
  online: boolean;
  me: boolean;
}

const state = signal<RoomState>("connecting");
const refused = signal<RoomdropError | undefined>(undefined);
const mine = signal<string | undefined>(undefined);
const present = signal<readonly Person[]>([]);
const server = signal<Services | undefined>(undefined);
const sealing = signal<"sealed" | "plain">("plain");

export const roomState: ReadonlySignal<RoomState> = state;
/** Why the server does not let one in, while `refused`. */
export const refusal: ReadonlySignal<RoomdropError | undefined> = refused;
export const me: ReadonlySignal<string | undefined> = mine;
/** Oneself first. */
export const people: ReadonlySignal<readonly Person[]> = present;
export const others = computed(() => present.value.filter((person) => !person.me));
/** What the server does besides relaying; nothing is promised before it says so. */
export const services: ReadonlySignal<Services | undefined> = server;
/** Whether the room's secret is at hand. */
export const sealed = computed(() => sealing.value === "sealed");

let room: Room | undefined;
/** Everyone who was ever here, since receivers are named after they left. */
const names = new Map<string, string>();

export function here(): Room | undefined {
  return room;
}

/** From now on it is `entered`; nothing, on the front page. */
export function setHere(entered: Room | undefined): void {
  room = entered;
  refreshHere();
}

/** Reads again what the room says of itself and of its people. */
export function refreshHere(): void {
  const members = room?.members ?? [];
  for (const { id, name } of members) names.set(id, name);
  const id = room?.me?.id;
  const list = members.map((one) => ({
    id: one.id,
    face: faceOf(one.name, one.id),
    online: one.online,
    me: one.id === id,
  }));
  batch(() => {
    state.value = room?.state ?? "connecting";
    refused.value = room?.refusal;
    mine.value = id;
    server.value = room?.server;
    sealing.value = room?.sealed ? "sealed" : "plain";
    present.value = list.sort((one, other) => Number(other.me) - Number(one.me));
  });
}

/** What a member is called, also when it has left. */
export function nameOf(member: string, then?: string): string {
  const name = names.get(member) ?? then;
  return name === undefined ? words.value.someone : faceOf(name, member).name;
}

/** Does it, and shows what went wrong; whether it went well. */
export async function attempt(what: (here: Room) => Promise<void>): Promise<boolean> {
  if (!room) return false;
  try {
    await what(room);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
