// A server that writes one copy at a time: more are kept in turn, none that is silent holds up the others, and
// what cannot wait goes on live without a copy.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { ok } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startNode } from './harness/server.mjs';
import { Source } from './harness/source.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 5 * MIB + 7;
/** How long a silent one keeps its place, and some more. */
const PATIENCE = 60_000;

let server;
let folder;
before(async () => {
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-places-'));
  server = await startNode({ STORE__URL: `file:${folder}/data`, LIMITS__COPIES_AT_ONCE: '1' });
});
after(async () => {
  closeAll();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Someone in a room of their own who offers one file to be kept, and serves `ready` bytes of it. */
async function keeper(bytes, { live = false, ready = bytes.length } = {}) {
  const sender = await join(server.url, newRoom());
  const taken = await sender.offer([{ name: 'kept.bin', size: live ? null : bytes.length }], { keep: true });
  const source = new Source(sender.transfers);
  await source.serve(taken.transfers[0], bytes, { ready });
  return { sender, transfer: taken.transfers[0].transfer, source };
}

/** Once what is there of its file has been asked for, by its copy alone. */
const begins = ({ source }) => until('its copy begins', () => source.uploaded === MIB);

const isStored = ({ sender, transfer }) =>
  until(
    `${transfer} is stored`,
    () => sender.statuses.some(({ data }) => data.transfer === transfer && data.copy?.state === 'stored'),
    () => JSON.stringify(sender.statuses.at(-1)),
    PATIENCE,
  );

test('a copy whose sender is silent lets the next one in, and is whole when its sender speaks again', async () => {
  const bytes = [randomFile(SIZE), randomFile(SIZE)];
  const silent = await keeper(bytes[0], { ready: MIB });
  await begins(silent);
  const next = await keeper(bytes[1]);
  await isStored(next);
  silent.source.feed(silent.transfer, SIZE);
  await isStored(silent);
  for (const [index, { sender, transfer }] of [silent, next].entries()) {
    sender.vanish();
    const late = await join(server.url, sender.room);
    await finish(await late.receive(transfer), bytes[index]);
  }
});

test('a live stream for whose copy there is no place goes on without one, and says so', async () => {
  const silent = await keeper(randomFile(SIZE), { ready: MIB });
  await begins(silent);
  const bytes = randomFile(SIZE);
  const live = await keeper(bytes, { live: true, ready: 0 });
  const isFailed = ({ copy }) => copy?.state === 'failed';
  const { data } = await live.sender.status(live.transfer, isFailed, 'it is not kept');
  assert.equal(data.copy.error, 'overloaded');
  const receiver = await join(server.url, live.sender.room);
  const sink = await receiver.receive(live.transfer);
  live.source.feed(live.transfer, SIZE);
  await sink.reaches(SIZE);
  const end = { transfer: live.transfer, size: SIZE, digest: sha256(bytes) };
  ok(await live.sender.transfers.ask('source:end', end));
  await finish(sink, bytes);
  ok(await silent.sender.rooms.ask('transfer:cancel', { transfer: silent.transfer }));
});
