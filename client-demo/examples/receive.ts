/** Accepts whatever is offered in a room from now on, and hands each file on once it is whole; leaves when aborted. */
import { joinRoom } from "roomdrop-client";

export async function receive(
  server: string,
  room: string,
  take: (name: string, file: Blob) => void,
  signal: AbortSignal,
) {
  const here = await joinRoom(server, room, { name: "Bo", signal });
  try {
    for await (const drop of here.each("offered", { signal })) {
      for (const incoming of await here.accept(drop, { signal })) {
        await incoming.done({ signal });
        take(incoming.name, await incoming.file());
      }
    }
  } finally {
    await here.leave();
  }
}
