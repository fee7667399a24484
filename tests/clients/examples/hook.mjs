// HOOK_SECRET=whsec_… node hook.mjs 4000
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

const key = Buffer.from(process.env.HOOK_SECRET.slice("whsec_".length), "base64");
const seen = new Set(); // the same event comes again when our answer was lost

const server = createServer(async (request, response) => {
  const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signatures = "" } = request.headers;
  const body = await text(request);
  const signature = `v1,${createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64")}`;
  const isOurs = signatures.split(" ").some((theirs) =>
    theirs.length === signature.length && timingSafeEqual(Buffer.from(theirs), Buffer.from(signature)));
  const isOld = !(Math.abs(Date.now() / 1000 - at) < 300);
  if (!isOurs || isOld) return response.writeHead(401).end();

  const { type, data } = JSON.parse(body);
  if (type === "offered" && data.transfers.some(({ name }) => /\.(exe|msi|scr)$/i.test(name))) {
    return response.writeHead(403).end(JSON.stringify({ msg: "No programs, please." })); // with veto = true
  }
  if (!seen.has(id)) console.log(type, data.room, data.name ?? data.transfers.map(({ name }) => name).join(", "));
  seen.add(id);
  response.writeHead(204).end();
});
server.listen(process.argv[2], () => console.log(`listening on ${server.address().port}`));
