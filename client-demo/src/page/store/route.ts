/**
 * Which page is shown: the address says, and going to another one enters or leaves its room. The secret behind the
 * `#` goes with the room, and never anywhere else.
 */
import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { type Connection, canSeal, connect, makeSecret, type Room } from "../../sdk";
import { remember, remembered } from "../hands/memory";
import { visited } from "../hands/recent";
import { self, wireName } from "../hands/self";
import { takeNewRoom } from "../hands/shared";
import { whenBroken } from "../hands/worker";
import { randomRoomId } from "../roomId";
import { words } from "../words";
import { addressOf, pathOf, type RoomAddress } from "./address";
import { refreshHere, setHere } from "./here";
import { complain, tell } from "./problems";
import { followArrivals } from "./receiving";
import { followRoom, refreshAll, retell, transferOf } from "./timeline";

export type Route = { page: "front" } | ({ page: "room" } & RoomAddress);

const shown = signal<Route>({ page: "front" });

export const route: ReadonlySignal<Route> = shown;

let connection: Connection | undefined;
let entered: { room: Room; secret: string | undefined } | undefined;

/** Reads the address and follows it from now on. */
export function beginRoute(): void {
  whenBroken(brokeOff);
  window.addEventListener("popstate", follow);
  window.addEventListener("hashchange", follow);
  if (takeNewRoom()) startRoom();
  else follow();
  effect(() => callOneself(self.value && wireName()));
}

/** Whoever saves it has to accept it anew; until then nobody waits for this side. */
function brokeOff(id: string): void {
  const transfer = transferOf(id);
  tell(words.value.problems.broken(transfer?.name ?? ""));
  // Without a connection the server notices by itself.
  if (transfer && !transfer.final) void entered?.room.cancel(transfer).catch(() => undefined);
}

/** A fresh room, sealed where the browser can. */
export function startRoom(passphrase = ""): void {
  const secret = canSeal() ? makeSecret() : undefined;
  goToRoom({ room: randomRoomId(), ...(secret ? { secret } : {}) }, passphrase);
}

export function goToRoom(address: RoomAddress, passphrase = ""): void {
  if (passphrase) remember("tab", passphraseOf(address.room), passphrase);
  history.pushState(null, "", pathOf(address));
  follow();
}

/** Leaves the room, and goes to the front page. */
export function leave(): void {
  history.pushState(null, "", "/");
  follow();
}

/** Reads what is sealed in this room with the secret of the link that was asked for. */
export function unlock(secret: string): void {
  if (shown.value.page !== "room") return;
  history.replaceState(null, "", pathOf({ room: shown.value.room, secret }));
  follow();
}

/** Tries a passphrase after the room was not let into. */
export function tryPassphrase(passphrase: string): void {
  if (!entered) return;
  remember("tab", passphraseOf(entered.room.id), passphrase);
  entered.room.enter({ passphrase });
}

/** Asks again to be let in. */
export function tryAgain(): void {
  entered?.room.enter({});
}

/** Whether a passphrase was tried already. */
export function triedPassphrase(): boolean {
  return shown.value.page === "room" && remembered("tab", passphraseOf(shown.value.room)) !== undefined;
}

/** The link to give to others. */
export function roomLink(): string {
  return shown.value.page === "room" ? `${location.origin}${pathOf(shown.value)}` : location.origin;
}

function follow(): void {
  const address = addressOf(location);
  if (entered && entered.room.id !== address?.room) {
    void entered.room.leave();
    entered = undefined;
  } else if (entered && address?.secret && address.secret !== entered.secret) {
    entered.room.enter({ secret: address.secret });
    entered.secret = address.secret;
  }
  shown.value = address ? { page: "room", ...address } : { page: "front" };
  if (address && !entered) entered = { room: enter(address), secret: address.secret };
  setHere(entered?.room);
  retell();
}

function enter({ room: id, secret }: RoomAddress): Room {
  connection ??= connect(location.origin);
  const passphrase = remembered("tab", passphraseOf(id));
  const room = connection.room(id, {
    name: wireName(),
    ...(passphrase ? { passphrase } : {}),
    ...(secret ? { secret } : {}),
  });
  room.on("state", (state) => {
    if (entered?.room !== room) return;
    if (state === "joined") visited(id, entered.secret);
    refreshHere();
    retell();
    refreshAll();
  });
  for (const event of ["joined", "left"] as const) room.on(event, refreshHere);
  room.on("problem", complain);
  followRoom(room);
  followArrivals(room);
  return room;
}

function callOneself(name: string): void {
  if (entered?.room.state === "joined") entered.room.enter({ name });
}

function passphraseOf(id: string): string {
  return `passphrase|${id}`;
}
