// node send.mjs http://127.0.0.1:3000 my-room holiday.mp4
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { io } from "socket.io-client";

const [url, room, path] = process.argv.slice(2);
const CHUNK = 256 * 1024;
const file = await open(path);
const { size } = await file.stat();
const rooms = io(`${url}/rooms`);
const transfers = io(`${url}/transfers`);
const lanes = new Map(); // each lane in use → the offset sent so far, as a promise
let key, token;

rooms.on("connect", () => rooms.emit("room:join", { room, name: "send.mjs", key }, ({ code, msg, data }) => {
  if (code !== 200) return stop(msg);
  key = data.key; // makes us the same member after a reconnect
  if (!token) rooms.emit("drop:offer", { room, files: [{ name: basename(path), size }] }, offered);
}));
function offered({ code, msg, data }) {
  if (code !== 200) return stop(msg);
  token = data.transfers[0].token; // whoever holds it is the sender, now and after a reconnect
  transfers.emit("source:open", { token });
}
transfers.on("connect", () => token && transfers.emit("source:open", { token }));
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
transfers.on("transfer:status", ({ code, msg }) => (code === 200 || code === -1) && stop(code === -1 && msg));
const stop = (problem) => (console.log(problem || `sent ${path}`), process.exit(problem ? 1 : 0));
