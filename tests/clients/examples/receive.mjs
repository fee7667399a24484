// node receive.mjs http://127.0.0.1:3000 my-room downloads [--stay]
import { openSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { io } from "socket.io-client"; // npm install socket.io-client

const [url, room, folder, stay] = process.argv.slice(2);
const WINDOW = 4 * 1024 * 1024; // how far the server may send ahead of what we have written
const [rooms, transfers] = [io(`${url}/rooms`), io(`${url}/transfers`)];
const sinks = new Map();
let key; // makes us the same member after a reconnect

rooms.on("connect", () => rooms.emit("room:join", { room, name: "receive.mjs", key }, ({ code, msg, data }) => {
  if (code !== 200) throw new Error(msg);
  key = data.key;
  data.drops.forEach(accept);
}));
rooms.on("drop:offered", accept);
function accept(drop) {
  rooms.emit("transfer:accept", { drop: drop.drop }, ({ code, msg, data }) => {
    if (code !== 200) return console.error(msg);
    for (const offer of data.transfers.filter(({ transfer }) => !sinks.has(transfer))) {
      const file = openSync(join(folder, basename(offer.name)), "wx");
      sinks.set(offer.transfer, { ...offer, file, lane: 0, offset: 0 });
      if (transfers.connected) open(sinks.get(offer.transfer));
    }
  });
}
transfers.on("connect", () => sinks.forEach(open)); // goes on from the offset that we hold, on a new lane
const open = (sink) => transfers.emit("sink:open", { token: sink.token, ...pull(sink, sink.lane + 1) }, () => finish(sink));
const pull = (sink, lane) => ({ lane: (sink.lane = lane), from: sink.offset, limit: sink.offset + WINDOW });
transfers.on("chunk", ({ transfer, lane, offset }, bytes) => {
  const sink = sinks.get(transfer);
  if (lane !== sink.lane || offset !== sink.offset) return; // of an older lane
  sink.offset += writeSync(sink.file, bytes, 0, bytes.length, offset);
  transfers.emit("pull", { transfer, ...pull(sink, lane) });
  finish(sink);
});
transfers.on("transfer:end", ({ transfer, size }) => { // until then, a live stream has no size
  if (sinks.get(transfer).size === null) finish(Object.assign(sinks.get(transfer), { size }));
});
const finish = (sink) => sink.offset === sink.size && transfers.emit("sink:done", { transfer: sink.transfer }, () => {
  console.log(`received ${sink.name}`);
  if (!stay) process.exit();
});
