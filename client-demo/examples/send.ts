/** Offers files to everyone in a room, and tells how far they are until everyone who accepted has them. */
import { joinRoom } from "roomdrop-client";

export async function send(server: string, room: string, files: File[], tell: (words: string) => void) {
  const here = await joinRoom(server, room, { name: "Ada" });
  const drop = await here.offer(files);
  for (const transfer of drop.transfers) {
    for await (const { done, size } of transfer.updates()) tell(`${transfer.name}: ${done} of ${size}`);
  }
  await here.leave();
}
