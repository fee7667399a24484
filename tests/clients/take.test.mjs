// Downloads by nothing but an address: `curl /rooms/ROOM/FILE` accepts as a member of its own, and leaves.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { curl, download } from './harness/curl.mjs';
import { refused } from './harness/envelope.mjs';
import { join, newRoom } from './harness/people.mjs';
import { beginPut } from './harness/put.mjs';
import { startServer } from './harness/server.mjs';
import { until, within } from './harness/wait.mjs';

let server;
let folder;
before(async () => {
  server = await startServer({ ROOMS__PRESENCE_GRACE: '300ms', TRANSFERS__STALL_TIMEOUT: '500ms' });
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-take-'));
});
after(async () => {
  closeAll();
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

test('one curl waits for what another sends, and nobody else is needed', async () => {
  const url = `${server.url}/rooms/${newRoom()}`;
  const bytes = randomFile(5 * MIB + 7);
  const path = joinPath(folder, 'a b.bin');
  writeFileSync(path, bytes);
  const receiving = curl(`${url}/a%20b.bin?wait=30s&name=Bob`);
  const { status, body } = await curl(`${url}/`, '-T', path);
  assert.equal(status, 201);
  const { data } = JSON.parse(body);
  assert.deepEqual(
    data.receivers.map(({ name, state, received }) => ({ name, state, received })),
    [{ name: 'Bob', state: 'complete', received: bytes.length }],
  );
  const received = await receiving;
  assert.equal(received.status, 200);
  assert.equal(sha256(received.body), sha256(bytes));
  assert.equal(received.headers['content-length'], String(bytes.length));
  assert.match(received.headers['content-disposition'], /filename\*=UTF-8''a%20b\.bin/);
});

test('it takes what is offered by any member, the newest of the name that can be had', async () => {
  const room = newRoom();
  const sender = await join(server.url, room);
  const [old, recent] = [randomFile(1000), randomFile(1000)];
  await sender.send(old, { name: 'same.bin' });
  await sender.send(randomFile(10), { name: 'other.bin' });
  const { transfer } = await sender.send(recent, { name: 'same.bin' });
  const url = `${server.url}/rooms/${room}/same.bin`;
  await until('it is known everywhere', async () => (await curl(url, '--head')).status === 200);
  assert.equal(sha256((await curl(url)).body), sha256(recent));
  await sender.rooms.ask('transfer:cancel', { transfer });
  await until('the older one is the newest', async () => sha256((await curl(url)).body) === sha256(old));
});

test('what can go back is had in parts, and what cannot is not', async () => {
  const room = newRoom();
  const sender = await join(server.url, room);
  const bytes = randomFile(1000);
  await sender.send(bytes, { name: 'a.bin' });
  const url = `${server.url}/rooms/${room}`;
  const part = await curl(`${url}/a.bin?wait`, '--range', '10-19');
  assert.deepEqual([part.status, sha256(part.body)], [206, sha256(bytes.subarray(10, 20))]);
  const put = beginPut(`${url}/b.bin`, { 'content-length': bytes.length });
  put.end(bytes);
  const whole = await curl(`${url}/b.bin?wait`, '--range', '10-19');
  assert.deepEqual([whole.status, whole.headers['accept-ranges']], [200, 'none']);
  assert.equal(sha256(whole.body), sha256(bytes));
  assert.equal((await put.answer()).status, 201);
});

test('where there is none it says so, at once or when the time is over', async () => {
  const url = `${server.url}/rooms/${newRoom()}/none.bin`;
  for (const query of ['', '?wait=0', '?wait=300ms']) {
    const { status, body } = await curl(url + query);
    assert.equal(status, 404, query);
    refused(JSON.parse(body), 'transfer_not_found');
  }
  for (const query of ['?wait=long', '?wait=-1', '?name=%00']) {
    const { status, body } = await curl(url + query);
    assert.equal(status, 400, query);
    refused(JSON.parse(body), 'bad_request');
  }
  for (const path of ['/rooms/a.b/x', '/rooms/room/a%2Fb', '/rooms/room/..%5Cx']) {
    assert.equal((await curl(server.url + path, '--path-as-is')).status, 400, path);
  }
});

test('a look takes nothing: neither HEAD nor a browser accepts', async () => {
  const room = newRoom();
  const watcher = await join(server.url, room);
  const put = beginPut(`${server.url}/rooms/${room}/a.bin`, { 'content-length': 3 });
  const { transfers } = await watcher.rooms.inbox.next('drop:offered');
  const url = `${server.url}/rooms/${room}/a.bin`;
  const head = await curl(`${url}?wait`, '--head');
  assert.deepEqual([head.status, head.headers['content-length']], [200, '3']);
  const browser = await curl(url, '-H', 'accept: text/html,application/xhtml+xml,*/*;q=0.8');
  assert.deepEqual([browser.status, browser.headers.location], [303, `/rooms/${room}`]);
  assert.equal((await curl(`${server.url}/rooms/${room}`)).headers['content-type'], 'text/html');
  const said = watcher.statuses.filter(({ data }) => data.transfer === transfers[0].transfer);
  assert.deepEqual(said, []);
  put.end('abc');
  assert.equal((await curl(`${url}?wait`)).body.toString(), 'abc');
  assert.equal((await put.answer()).status, 201);
});

test('a download that is broken off is not waited for', async () => {
  const room = newRoom();
  const url = `${server.url}/rooms/${room}/a.bin`;
  const put = beginPut(url, { 'content-length': 100 * MIB });
  put.send(Buffer.alloc(50 * MIB)).catch(() => {});
  const path = joinPath(folder, 'broken.bin');
  const receiving = download(`${url}?wait`, '--limit-rate', '500K', '--output', path);
  await until('a part of the file is on the disk', () => sizeOf(path) > 200 * KIB);
  receiving.kill();
  await within(receiving.ended, 'the end of curl');
  const { status, body } = await put.answer();
  assert.equal(status, 410);
  refused(body, 'transfer_closed');
});

test('a live stream is had while it grows', async () => {
  const url = `${server.url}/rooms/${newRoom()}/log.txt`;
  const put = beginPut(url);
  const path = joinPath(folder, 'log.txt');
  const receiving = download(`${url}?wait`, '--no-buffer', '--output', path);
  let all = '';
  for (const line of ['first\n', 'second\n', 'third\n']) {
    await put.send(line);
    all += line;
    await until('the line is there', () => sizeOf(path) === all.length);
  }
  put.end();
  assert.equal(await within(receiving.ended, 'the end of curl'), 0);
  assert.equal(readFileSync(path, 'utf8'), all);
  assert.equal((await put.answer()).status, 201);
});

test('an empty file is had too', async () => {
  const url = `${server.url}/rooms/${newRoom()}/empty`;
  const put = beginPut(url, { 'content-length': 0 });
  put.end();
  const { status, body } = await curl(`${url}?wait`);
  assert.deepEqual([status, body.length], [200, 0]);
  assert.equal((await put.answer()).status, 201);
});

function sizeOf(path) {
  try {
    return statSync(path).size;
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}
