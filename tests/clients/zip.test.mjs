// A drop as one ZIP, by curl, read by Python's own reader: what others unpack must be what the sender has.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { curl, download } from './harness/curl.mjs';
import { ok } from './harness/envelope.mjs';
import { join, newRoom } from './harness/people.mjs';
import { pythonWithSocketio } from './harness/python.mjs';
import { startServer } from './harness/server.mjs';
import { Source } from './harness/source.mjs';
import { until, within } from './harness/wait.mjs';

const run = promisify(execFile);

let server;
let folder;
before(async () => {
  server = await startServer();
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-zips-'));
});
after(async () => {
  closeAll();
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

test('a drop of folders is one ZIP with every file in its place', async () => {
  const files = [
    { name: 'a.bin', bytes: randomFile(3 * MIB + 1) },
    { name: 'a.bin', path: 'trip', bytes: randomFile(100) },
    { name: 'Grüße 🦦.txt', path: 'trip/día 1', bytes: randomFile(300 * KIB) },
    { name: 'empty', path: 'trip', bytes: Buffer.alloc(0) },
  ];
  const { sender, taken, url } = await offered(files);
  const { status, headers, body } = await curl(url);
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/zip');
  assert.match(headers['content-disposition'], /^attachment/);
  assert.equal(headers['content-length'], String(body.length));
  const names = files.map(({ name, path }) => (path ? `${path}/${name}` : name));
  assert.deepEqual(
    await entries(body),
    files.map(({ bytes }, index) => [names[index], sha256(bytes)]),
  );
  for (const { transfer } of taken.transfers) await sender.state(transfer, 'complete');
});

test('files that would be one on a disk are told apart', async () => {
  const files = ['same.txt', 'same.txt', 'SAME.txt'].map((name) => ({ name, bytes: randomFile(10) }));
  const { url } = await offered(files);
  const found = await entries((await curl(url)).body);
  assert.equal(new Set(found.map(([name]) => name.toLowerCase())).size, files.length, String(found));
  assert.deepEqual(
    found.map(([, digest]) => digest),
    files.map(({ bytes }) => sha256(bytes)),
  );
});

test('a live stream is a part of the ZIP too', async () => {
  const room = newRoom();
  const [sender, receiver] = [await join(server.url, room), await join(server.url, room)];
  const contents = [randomFile(1000), randomFile(2 * MIB)];
  const taken = await sender.offer([
    { name: 'first', size: contents[0].length },
    { name: 'live', size: null },
  ]);
  const source = new Source(sender.transfers);
  for (const [index, outgoing] of taken.transfers.entries()) await source.serve(outgoing, contents[index]);
  const [, { transfer }] = taken.transfers;
  ok(await sender.transfers.ask('source:end', { transfer, size: contents[1].length }));
  const { zip } = ok(await receiver.rooms.ask('transfer:accept', { drop: taken.drop }));
  assert.deepEqual(await entries((await curl(server.url + zip)).body), [
    ['first', sha256(contents[0])],
    ['live', sha256(contents[1])],
  ]);
});

test('a ZIP whose sender cancels a file breaks off: nobody takes it for whole', async () => {
  const { sender, taken, url } = await offered([
    { name: 'a', bytes: randomFile(3 * MIB) },
    { name: 'b', bytes: randomFile(8 * MIB) },
  ]);
  const path = joinPath(folder, 'cancelled.zip');
  const part = download(url, '--limit-rate', '1M', '--output', path);
  await until(
    'a part of it is on the disk',
    () => statSync(path, { throwIfNoEntry: false })?.size > 100 * KIB,
  );
  ok(await sender.rooms.ask('transfer:cancel', { transfer: taken.transfers[1].transfer }));
  assert.notEqual(await within(part.ended, 'the end of the download'), 0);
});

test('a ZIP is for those who have accepted, by their token', async () => {
  const { taken, url } = await offered([{ name: 'a', bytes: randomFile(10) }]);
  const other = await offered([{ name: 'b', bytes: randomFile(10) }]);
  const content = `${server.url}/drops/${taken.drop}/content`;
  const foreign = new URL(other.url).searchParams.get('token');
  for (const query of [
    '',
    '?token=',
    `?token=${'0'.repeat(32)}`,
    `?token=${foreign}`,
    `?token=${taken.transfers[0].token}`,
  ]) {
    const { status, body } = await curl(content + query);
    assert.equal(status, 403, query);
    assert.equal(JSON.parse(body).data.error, 'not_allowed');
  }
  const unknown = await curl(`${server.url}/drops/0123456789abcdef/content?token=${foreign}`);
  assert.equal(unknown.status, 404);
  assert.equal(JSON.parse(unknown.body).data.error, 'drop_not_found');
  assert.equal((await curl(url)).status, 200);
});

/** Files in a sender's hands, accepted as one drop by a receiver that has the address of the ZIP. */
async function offered(files) {
  const room = newRoom();
  const [sender, receiver] = [await join(server.url, room), await join(server.url, room)];
  const taken = await sender.offer(files.map(({ bytes, ...file }) => ({ ...file, size: bytes.length })));
  const source = new Source(sender.transfers);
  for (const [index, outgoing] of taken.transfers.entries()) await source.serve(outgoing, files[index].bytes);
  const { zip } = ok(await receiver.rooms.ask('transfer:accept', { drop: taken.drop }));
  assert.ok(zip.startsWith(`/drops/${taken.drop}/content?token=`), zip);
  return { sender, receiver, taken, url: server.url + zip };
}

/** Name and digest of each entry; checksums are checked on the way. */
async function entries(zip) {
  const path = joinPath(folder, 'read.zip');
  writeFileSync(path, zip);
  const program = `
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    print(json.dumps([[n, "sha256:" + hashlib.sha256(archive.read(n)).hexdigest()] for n in archive.namelist()]))`;
  const { stdout } = await run(pythonWithSocketio(), ['-c', program, path]);
  return JSON.parse(stdout);
}
