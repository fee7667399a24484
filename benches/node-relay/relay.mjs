// The relay one would write first: what comes from one socket goes out to the others of its room, and
// the sender learns that its chunk was taken. It exists to be measured against; it checks nothing.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
new Server(http).on("connection", (socket) => {
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
