// A drop as one ZIP, by curl, straight from a sender's hands, and read by another program's ZIP reader:
// whole, waited for, left out, broken off, with any name.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { curl, download } from './harness/curl.mjs';
import { ok } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { zipEntries } from './harness/python.mjs';
import { startServer } from './harness/server.mjs';
import { Source } from './harness/source.mjs';
import { until, within } from './harness/wait.mjs';

const DOWNLOADS_AT_ONCE = 2;

let server;
let folder;
before(async () => {
  server = await startServer({
    TRANSFERS__STALL_TIMEOUT: '500ms',
    TRANSFERS__STRAGGLER_PATIENCE: '200ms',
    LIMITS__DOWNLOADS_PER_TOKEN: String(DOWNLOADS_AT_ONCE),
  });
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-zips-'));
});
after(async () => {
  closeAll();
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

test('a drop comes as one ZIP while its sender sends it, and each file counts as received', async () => {
  const files = [
    file('plan.txt', 11),
    file('a.bin', 3 * MIB + 1, { path: 'trip/2026', modified: Date.UTC(2026, 10, 21, 5, 43, 28) }),
    file('empty', 0, { path: 'trip' }),
    file('b.bin', MIB, { path: 'trip/2026' }),
  ];
  const { sender, receiver, transfers, url } = await offered(files);
  const { status, headers, body } = await curl(url);
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/zip');
  assert.equal(headers['content-length'], String(body.length));
  assert.equal(
    headers['content-disposition'],
    `attachment; filename="roomdrop.zip"; filename*=UTF-8''roomdrop.zip`,
  );
  assert.match(headers['cache-control'], /no-store/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  const entries = await assertHolds(body, files);
  assert.deepEqual(entries[1].date, [2026, 11, 21, 5, 43, 28]);
  for (const [index, transfer] of transfers.entries()) {
    const { data } = await sender.state(transfer, 'complete');
    const own = data.receivers.find(({ member }) => member === receiver.id);
    assert.deepEqual(own, { member: receiver.id, state: 'complete', received: files[index].bytes.length });
  }
});

test('HEAD tells what GET would, and moves nothing', async () => {
  const { sender, source, url } = await offered([file('a', MIB), file('b', MIB)]);
  const { status, headers } = await curl(url, '--head');
  assert.equal(status, 200);
  assert.equal(source.uploaded, 0);
  assert.ok(!sender.statuses.some(({ data }) => data.state === 'complete'));
  const whole = await curl(url);
  assert.equal(headers['content-length'], String(whole.body.length));
  assert.equal(headers['content-type'], whole.headers['content-type']);
  assert.equal(headers['content-disposition'], whole.headers['content-disposition']);
});

test('a ZIP is called as the folder that holds all of it', async () => {
  const files = [file('a', 1, { path: 'Grüße' }), file('b', 1, { path: 'Grüße/c' })];
  const { url } = await offered(files);
  const { headers } = await curl(url, '--head');
  assert.match(headers['content-disposition'], /filename\*=UTF-8''Gr%C3%BC%C3%9Fe\.zip$/);
});

test('any name and folder is in the ZIP as it was offered, and no two are the same', async () => {
  const names = [
    'two words.txt',
    `it's "quoted" \u0060and\u0060.txt`,
    'Grüße aus Köln.txt',
    '文件 🦦.pdf',
    'a%2F..%2Fb',
    '\u202Egpj.exe',
    'é'.repeat(127),
    '-rf',
    '...',
    '$(touch x)',
    '<script>alert(1)<script>.html',
    'twice.txt',
    'C:x',
  ];
  const files = [
    ...names.map((name) => file(name, 5)),
    file('twice.txt', 6),
    file('TWICE.txt', 7),
    file('twice.txt', 8, { path: 'ä/…/c d' }),
    file('x', 9, { path: 'C:/Windows' }),
    file('ä', 10),
  ];
  const { url } = await offered(files);
  const expected = files.map(({ offer: { name, path } }) => (path ? `${path}/${name}` : name));
  expected[names.length - 1] = 'C_x';
  expected[names.length] = 'twice (2).txt';
  expected[names.length + 1] = 'TWICE (3).txt';
  expected[names.length + 3] = 'C_/Windows/x';
  expected[names.length + 4] = 'ä (2)';
  await assertHolds((await curl(url)).body, files, expected);
});

test('a ZIP waits while the sender pauses one of its files, and goes on', async () => {
  const files = [file('a', MIB), file('b', 3 * MIB), file('c', 10)];
  const { sender, receiver, transfers, url } = await offered(files);
  const transfer = transfers[1];
  ok(await sender.rooms.ask('transfer:pause', { transfer }));
  await receiver.state(transfer, 'paused');
  const path = joinPath(folder, 'paused.zip');
  const whole = download(url, '--no-buffer', '--output', path);
  await until('the first file is here', () => sizeOf(path) > MIB);
  await sender.state(transfers[0], 'complete');
  assert.ok(sizeOf(path) < 2 * MIB);
  assert.ok(!sender.statuses.some(({ data }) => data.transfer === transfers[2] && data.state === 'complete'));
  ok(await sender.rooms.ask('transfer:resume', { transfer }));
  assert.equal(await within(whole.ended, 'the end of the ZIP'), 0);
  await assertHolds(path, files);
});

test('a ZIP waits while the sender is away, and goes on when it is back', async () => {
  const files = [file('a', 100 * KIB), file('b', 20 * MIB)];
  const { sender, transfers, url } = await offered(files);
  const path = joinPath(folder, 'suspended.zip');
  const whole = download(url, '--limit-rate', '8M', '--output', path);
  await until('the second file has begun', () => sizeOf(path) > 500 * KIB);
  sender.link.manager.engine.close();
  await until('it is connected again', () => sender.transfers.drops > 0 && sender.transfers.socket.connected);
  assert.equal(await within(whole.ended, 'the end of the ZIP'), 0);
  await assertHolds(path, files);
  assert.equal(transfers.length, 2);
});

test('only what was accepted and can still be had is in the ZIP, whichever of its tokens is shown', async () => {
  const files = ['kept', 'rejected', 'cancelled', 'over', 'also kept'].map((name) => file(name, 1000));
  const { sender, receiver, drop, transfers, tokens } = await offered(files);
  ok(await receiver.rooms.ask('transfer:reject', { transfer: transfers[1] }));
  ok(await receiver.rooms.ask('transfer:cancel', { transfer: transfers[2] }));
  ok(await sender.rooms.ask('transfer:cancel', { transfer: transfers[3] }));
  for (const token of tokens) {
    const { status, body } = await curl(`${server.url}/drops/${drop}/content?token=${token}`);
    assert.equal(status, 200);
    await assertHolds(body, [files[0], files[4]]);
  }
});

test('one may take a ZIP of less than the whole drop, and again', async () => {
  const files = [file('a', 1000), file('b', 1000)];
  const { sender, other, drop, transfers } = await offered(files);
  const { token } = await other.accept(transfers[1]);
  for (const _ of [1, 2]) {
    await assertHolds((await curl(`${server.url}/drops/${drop}/content?token=${token}`)).body, [files[1]]);
    await sender.receiverState(transfers[1], other, 'complete');
  }
});

test('a live stream is in the ZIP as it comes, without a length', async () => {
  const files = [file('a', 1000), file('live', 2 * MIB, { size: null }), file('c', 3)];
  const { sender, transfers, source, url } = await offered(files);
  const path = joinPath(folder, 'live.zip');
  const head = joinPath(folder, 'live.head');
  const whole = download(url, '--no-buffer', '--dump-header', head, '--output', path);
  source.feed(transfers[1], 1000);
  await until('its beginning is here before its end is known', () => sizeOf(path) > 2000);
  source.feed(transfers[1], 2 * MIB);
  ok(await sender.transfers.ask('source:end', { transfer: transfers[1], size: 2 * MIB }));
  assert.equal(await within(whole.ended, 'the end of the ZIP'), 0);
  await assertHolds(path, files);
  await sender.state(transfers[1], 'complete');
});

test('a live stream whose beginning is gone is left out', async () => {
  const files = [file('live', 20 * MIB, { size: null }), file('b', 1000)];
  const { sender, other, transfers, source, url } = await offered(files);
  const sink = await other.receive(transfers[0]);
  source.feed(transfers[0], files[0].bytes.length);
  ok(await sender.transfers.ask('source:end', { transfer: transfers[0], size: files[0].bytes.length }));
  await finish(sink, files[0].bytes);
  await assertHolds((await curl(url)).body, [files[1]]);
});

test('a ZIP that was broken off leaves a receiver that is away, and holds nobody', async () => {
  const files = [file('a', 10 * KIB), file('b', 10 * MIB), file('c', 10)];
  const { sender, receiver, other, transfers, url } = await offered(files);
  const path = joinPath(folder, 'away.zip');
  const part = download(url, '--limit-rate', '1M', '--output', path);
  await until('the second file has begun', () => sizeOf(path) > 200 * KIB);
  part.kill();
  assert.notEqual(await within(part.ended, 'the end of curl'), 0);
  await sender.receiverState(transfers[1], receiver, 'away');
  await sender.receiverState(transfers[0], receiver, 'complete');
  await finish(await other.receive(transfers[1]), files[1].bytes);
  await assertHolds((await curl(url)).body, files);
});

test('a ZIP of which a file fails breaks off, and is not taken for whole', async () => {
  for (const size of [10 * MIB, null]) {
    const files = [file('a', 10), file('b', 10 * MIB, { size }), file('c', 10)];
    const { sender, source, transfers, url } = await offered(files);
    const path = joinPath(folder, `failed-${size}.zip`);
    const part = download(url, '--limit-rate', '1M', '--output', path);
    source.feed(transfers[1], 10 * MIB);
    await until('the second file has begun', () => sizeOf(path) > 100 * KIB);
    ok(await sender.rooms.ask('transfer:cancel', { transfer: transfers[1] }));
    assert.notEqual(await within(part.ended, 'the end of curl'), 0);
    await assert.rejects(zipEntries(path), /BadZipFile/);
  }
});

test('each ZIP is one of the downloads that a token may have at once', async () => {
  const files = [file('a', MIB), file('b', 10)];
  const { sender, receiver, transfers, url } = await offered(files);
  ok(await sender.rooms.ask('transfer:pause', { transfer: transfers[0] }));
  await receiver.state(transfers[0], 'paused');
  const paths = Array.from({ length: DOWNLOADS_AT_ONCE }, (_, index) =>
    joinPath(folder, `many-${index}.zip`),
  );
  const held = paths.map((path) => download(url, '--no-buffer', '--output', path));
  await until('they have begun', () => paths.every((path) => sizeOf(path) > 0));
  const { status, body } = await curl(url);
  assert.equal(status, 429);
  assert.equal(envelope(body).data.error, 'rate_limited');
  assert.equal((await curl(url, '--head')).status, 200, 'nothing is opened for HEAD');
  ok(await sender.rooms.ask('transfer:resume', { transfer: transfers[0] }));
  for (const { ended } of held) assert.equal(await within(ended, 'the end of the ZIP'), 0);
  for (const path of paths) await assertHolds(path, files);
  assert.equal((await curl(url)).status, 200);
});

test('a wrong token is forbidden, and an unknown drop is not found', async () => {
  const { sender, drop, tokens, sourceTokens, url } = await offered([file('a', 10)]);
  const other = await offered([file('b', 10)]);
  const content = `${server.url}/drops/${drop}/content`;
  for (const query of [
    '',
    '?token=',
    `?token=${'0'.repeat(32)}`,
    `?token=${tokens[0]}x`,
    `?token=${other.tokens[0]}`,
    `?token=${sourceTokens[0]}`,
    `?token=${sender.key}`,
    `?token=${'a'.repeat(5000)}`,
  ]) {
    const { status, headers, body } = await curl(content + query);
    assert.equal(status, 403, query);
    assert.match(headers['content-type'], /^application\/json/);
    assert.equal(envelope(body).data.error, 'not_allowed', query);
  }
  for (const id of ['0123456789abcdef', 'x', '..%2f..%2fetc%2fpasswd', 'a'.repeat(3000)]) {
    const { status, body } = await curl(`${server.url}/drops/${id}/content?token=${tokens[0]}`);
    assert.equal(status, 404, id);
    assert.equal(envelope(body).data.error, 'drop_not_found', id);
  }
  for (const method of ['POST', 'PUT', 'DELETE'])
    assert.equal((await curl(url, '--request', method)).status, 405, method);
  assert.equal((await curl(url)).status, 200, 'the right one still works');
  assert.ok(!server.log.includes(tokens[0]));
});

test('a drop of which nothing can be had any more is gone', async () => {
  const { sender, transfers, url } = await offered([file('a', 10), file('b', 10)]);
  for (const transfer of transfers) ok(await sender.rooms.ask('transfer:cancel', { transfer }));
  const { status, body } = await curl(url);
  assert.equal(status, 410);
  assert.equal(envelope(body).data.error, 'transfer_closed');
});

/** A file of random bytes and how it is offered; of unknown size when `size` in `words` is null. */
function file(name, length, words = {}) {
  return { bytes: randomFile(length), offer: { name, size: length, ...words } };
}

/** A drop in a sender's hands, all of it accepted by a receiver that has the address of its ZIP. */
async function offered(files) {
  const room = newRoom();
  const [sender, receiver, other] = await Promise.all([1, 2, 3].map(() => join(server.url, room)));
  const taken = await sender.offer(files.map(({ offer }) => offer));
  const source = new Source(sender.transfers);
  for (const [index, outgoing] of taken.transfers.entries()) {
    const { bytes, offer } = files[index];
    await source.serve(outgoing, bytes, { ready: offer.size === null ? 0 : bytes.length });
  }
  const { drop } = taken;
  const accepted = ok(await receiver.rooms.ask('transfer:accept', { drop }));
  const tokens = accepted.transfers.map(({ token }) => token);
  assert.equal(accepted.zip, `/drops/${drop}/content?token=${tokens[0]}`);
  const transfers = taken.transfers.map(({ transfer }) => transfer);
  const sourceTokens = taken.transfers.map(({ token }) => token);
  return {
    sender,
    receiver,
    other,
    source,
    drop,
    transfers,
    tokens,
    sourceTokens,
    url: server.url + accepted.zip,
  };
}

/** Checks that a ZIP (its bytes, or where it lies) holds just these files; what the reader says of them. */
async function assertHolds(zip, files, names = files.map(({ offer }) => pathOf(offer))) {
  const path = typeof zip === 'string' ? zip : joinPath(folder, 'whole.zip');
  if (path !== zip) writeFileSync(path, zip);
  const entries = await zipEntries(path);
  assert.deepEqual(
    entries.map(({ name }) => name),
    names,
  );
  for (const [index, { digest, isStored }] of entries.entries()) {
    assert.equal(digest, sha256(files[index].bytes), names[index]);
    assert.ok(isStored);
  }
  return entries;
}

function pathOf({ name, path }) {
  return path ? `${path}/${name}` : name;
}

function envelope(body) {
  const words = JSON.parse(body.toString());
  assert.equal(words.code, -1);
  assert.ok(words.msg.length > 0);
  return words;
}

function sizeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
