// The relay one would write first: what comes from one socket goes out to the others of its room, and
// the sender learns that its chunk was taken. With REDIS_URL it is one of several, joined by Socket.IO's
// own Redis adapter. It exists to be measured against; it checks nothing.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http);
if (process.env.REDIS_URL) {
  const publish = createClient({ url: process.env.REDIS_URL });
  const subscribe = publish.duplicate();
  await Promise.all([publish.connect(), subscribe.connect()]);
  io.adapter(createAdapter(publish, subscribe));
}
io.on("connection", (socket) => {
  socket.on("join", (room, joined) => {
    socket.join(room);
    joined();
  });
  socket.on("chunk", (room, bytes, taken) => {
    socket.to(room).emit("chunk", bytes);
    taken();
  });
});
http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}`));
