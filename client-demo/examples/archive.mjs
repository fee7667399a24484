/** Saves what is offered in a room into a folder: `node archive.mjs http://127.0.0.1:3000 calm-otter-42 folder` */
import { join } from "node:path";
import { joinRoom } from "roomdrop-client";
import { fileSink, safeName } from "roomdrop-client/node";

const [server = "http://127.0.0.1:3000", id = "lobby", folder = "."] = process.argv.slice(2);
const sink = fileSink(({ name }) => join(folder, safeName(name)));
const room = await joinRoom(server, id, { name: "archive", sink });
for await (const drop of room.each("offered")) {
  for (const incoming of await room.accept(drop)) {
    await incoming.done().then(
      () => process.stdout.write(`${incoming.name}: ${incoming.size} bytes\n`),
      (error) => process.stderr.write(`${incoming.name}: ${error.message}\n`),
    );
  }
}
