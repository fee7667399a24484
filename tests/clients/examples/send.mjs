// node send.mjs http://127.0.0.1:3000 my-room holiday.mp4
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { io } from "socket.io-client"; // npm install socket.io-client

const [url, room, path] = process.argv.slice(2);
const CHUNK = 256 * 1024;
const file = await open(path);
const { size } = await file.stat();
const [rooms, transfers] = [io(`${url}/rooms`), io(`${url}/transfers`)];
const lanes = new Map(); // each lane in use → the offset sent so far, as a promise
let key, token; // who we are in the room, and our right to send: both are good after a reconnect

rooms.on("connect", () => rooms.emit("room:join", { room, name: "send.mjs", key }, ({ code, msg, data }) => {
  if (code !== 200) throw new Error(msg);
  key = data.key;
  if (!token) rooms.emit("drop:offer", { room, files: [{ name: basename(path), size }] }, offered);
}));
function offered({ code, msg, data }) {
  if (code !== 200) throw new Error(msg);
  token = data.transfers[0].token;
  transfers.emit("source:open", { token });
}
transfers.on("connect", () => token && transfers.emit("source:open", { token }));
transfers.on("transfer:status", ({ data }) => {
  if (!["complete", "cancelled", "failed"].includes(data.state)) return;
  console.log(`${path}: ${data.state}`);
  process.exit(data.state === "complete" ? 0 : 1);
});
transfers.on("disconnect", () => lanes.clear());
transfers.on("stop", ({ lane }) => lanes.delete(lane));
transfers.on("pull", ({ transfer, lane, from, limit }) => {
  const sent = lanes.get(lane) ?? Promise.resolve(from);
  lanes.set(lane, sent.then((offset) => send(transfer, lane, offset, limit)));
});
async function send(transfer, lane, offset, limit) {
  while (offset < limit && lanes.has(lane)) {
    const length = Math.min(CHUNK, limit - offset);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    if (bytesRead < length) transfers.emit("source:fail", { transfer, reason: "the file has changed" });
    else if (lanes.has(lane)) transfers.emit("chunk", { transfer, lane, offset }, buffer);
    offset += length;
  }
  return offset;
}
