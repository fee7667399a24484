// Downloads by curl, straight from a sender's hands: whole, in part, broken off and resumed, with any name.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { curl, download } from './harness/curl.mjs';
import { ok } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { withstandsBadRanges } from './harness/ranges.mjs';
import { startServer } from './harness/server.mjs';
import { until, within } from './harness/wait.mjs';

const SIZE = 5 * MIB + 3;

let server;
let folder;
before(async () => {
  server = await startServer({ TRANSFERS__STALL_TIMEOUT: '500ms', TRANSFERS__STRAGGLER_PATIENCE: '200ms' });
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-downloads-'));
});
after(async () => {
  closeAll();
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

test('a download brings the file while its sender sends it, and counts as a receiver', async () => {
  const { sender, receiver, bytes, transfer, url } = await offered();
  const { status, headers, body } = await curl(url);
  assert.equal(status, 200);
  assert.equal(sha256(body), sha256(bytes));
  assert.equal(headers['content-length'], String(SIZE));
  assert.equal(headers['accept-ranges'], 'bytes');
  assert.equal(headers['content-type'], 'application/octet-stream');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.match(headers['content-disposition'], /^attachment/);
  const { data } = await sender.state(transfer, 'complete');
  const own = data.receivers.find(({ member }) => member === receiver.id);
  assert.deepEqual(own, { member: receiver.id, state: 'complete', received: SIZE });
});

test('HEAD tells what GET would, and moves nothing', async () => {
  const { sender, transfer, url, source } = await offered();
  const { status, headers } = await curl(url, '--head');
  assert.equal(status, 200);
  assert.equal(headers['content-length'], String(SIZE));
  assert.equal(headers['accept-ranges'], 'bytes');
  assert.equal(source.uploaded, 0);
  assert.ok(!sender.statuses.some(({ data }) => data.transfer === transfer && data.state === 'complete'));
});

test('one range is answered with just those bytes', async () => {
  const { bytes, url } = await offered();
  for (const [range, from, to] of [
    ['0-0', 0, 1],
    ['0-99', 0, 100],
    [`${3 * MIB + 1}-${3 * MIB + 500}`, 3 * MIB + 1, 3 * MIB + 501],
    ['5000000-', 5_000_000, SIZE],
    ['-10', SIZE - 10, SIZE],
    [`100-${SIZE * 2}`, 100, SIZE],
    [`-${SIZE * 2}`, 0, SIZE],
  ]) {
    const { status, headers, body } = await curl(url, '--range', range);
    assert.equal(status, 206, range);
    assert.equal(headers['content-range'], `bytes ${from}-${to - 1}/${SIZE}`, range);
    assert.equal(headers['content-length'], String(to - from), range);
    assert.equal(sha256(body), sha256(bytes.subarray(from, to)), range);
  }
});

test('a range that is malformed is ignored, one beyond the end is not satisfiable', async () => {
  const { bytes, url } = await offered(randomFile(1000));
  await withstandsBadRanges(url, bytes);
});

test('a download that was broken off goes on where it was', async () => {
  const { sender, bytes, transfer, url } = await offered();
  const path = joinPath(folder, 'resumed.bin');
  const first = download(url, '--limit-rate', '500K', '--output', path);
  await until('a part of the file is on the disk', () => sizeOf(path) > 200 * KIB);
  first.kill();
  assert.notEqual(await within(first.ended, 'the end of curl'), 0);
  const held = sizeOf(path);
  assert.ok(held < SIZE, 'it was too quick to be broken off');
  const second = download(url, '--continue-at', '-', '--output', path);
  assert.equal(await within(second.ended, 'the end of curl -C -'), 0);
  assert.equal(sha256(readFileSync(path)), sha256(bytes));
  await sender.state(transfer, 'complete');
});

test('a download that was broken off is a receiver that is away, and holds nobody', async () => {
  const { sender, receiver, other, bytes, transfer, url } = await offered();
  const path = joinPath(folder, 'away.bin');
  const first = download(url, '--limit-rate', '1M', '--output', path);
  await until('a part of the file is on the disk', () => sizeOf(path) > 200 * KIB);
  first.kill();
  await sender.receiverState(transfer, receiver, 'away');
  await finish(await other.receive(transfer), bytes);
});

test('a member whose download ends is not away while its socket receives', async () => {
  const { sender, receiver, bytes, transfer, url } = await offered();
  const sink = await receiver.receive(transfer, { stopAt: 1000 });
  await sink.reaches(1000);
  assert.equal((await curl(url, '--range', '0-99')).status, 206);
  sink.go();
  await finish(sink, bytes);
  await sender.receiverState(transfer, receiver, 'complete');
  const states = sender.statuses.flatMap(({ data }) => data.receivers).map(({ state }) => state);
  assert.ok(!states.includes('away'), String(states));
});

test('a slow download does not hold the others', async () => {
  const { receiver, other, bytes, transfer, url } = await offered(randomFile(20 * MIB));
  const path = joinPath(folder, 'slow.bin');
  const slow = download(url, '--limit-rate', '100K', '--output', path);
  await until('the slow download has begun', () => sizeOf(path) > 0);
  await finish(await other.receive(transfer), bytes);
  assert.ok(sizeOf(path) < bytes.length);
  slow.kill();
  await slow.ended;
  ok(await receiver.rooms.ask('transfer:cancel', { transfer }));
});

test('the same file may be had by HTTP and by a socket at once', async () => {
  const { sender, other, bytes, transfer, url } = await offered();
  const [answer] = await Promise.all([
    curl(url),
    other.receive(transfer).then((sink) => finish(sink, bytes)),
  ]);
  assert.equal(sha256(answer.body), sha256(bytes));
  await sender.state(transfer, 'complete');
});

test('a download waits while its sender pauses, and goes on', async () => {
  const { sender, receiver, bytes, transfer, url } = await offered();
  ok(await sender.rooms.ask('transfer:pause', { transfer }));
  await receiver.state(transfer, 'paused');
  const path = joinPath(folder, 'paused.bin');
  const whole = download(url, '--output', path);
  ok(await sender.rooms.ask('transfer:resume', { transfer }));
  assert.equal(await within(whole.ended, 'the end of the download'), 0);
  assert.equal(sha256(readFileSync(path)), sha256(bytes));
});

test('a download whose sender cancels breaks off, and is not taken for whole', async () => {
  const { sender, transfer, url } = await offered();
  const path = joinPath(folder, 'cancelled.bin');
  const part = download(url, '--limit-rate', '1M', '--output', path);
  await until('a part of the file is on the disk', () => sizeOf(path) > 100 * KIB);
  ok(await sender.rooms.ask('transfer:cancel', { transfer }));
  assert.notEqual(await within(part.ended, 'the end of the download'), 0);
});

test('a live stream is downloaded as it comes, without a length', async () => {
  const { sender, receiver } = await people();
  const bytes = randomFile(2 * MIB);
  const { transfer, source } = await sender.send(bytes, { live: true });
  const { url } = await receiver.accept(transfer);
  const path = joinPath(folder, 'live.bin');
  const whole = download(server.url + url, '--no-buffer', '--output', path);
  source.feed(transfer, 1000);
  await until('its beginning is here before its end is known', () => sizeOf(path) === 1000);
  source.feed(transfer, bytes.length);
  ok(await sender.transfers.ask('source:end', { transfer, size: bytes.length }));
  assert.equal(await within(whole.ended, 'the end of the download'), 0);
  assert.equal(sha256(readFileSync(path)), sha256(bytes));
  await sender.state(transfer, 'complete');
});

test('a live stream whose size is not known has no ranges', async () => {
  const { sender, receiver } = await people();
  const bytes = randomFile(MIB);
  const { transfer, source } = await sender.send(bytes, { live: true });
  const { url } = await receiver.accept(transfer);
  const asked = curl(server.url + url, '--range', '100-200');
  await until('the server pulls', () => source.pulls.length > 0);
  source.feed(transfer, MIB);
  ok(await sender.transfers.ask('source:end', { transfer, size: MIB }));
  const { status, headers, body } = await asked;
  assert.equal(status, 200);
  assert.notEqual(headers['accept-ranges'], 'bytes');
  assert.equal(sha256(body), sha256(bytes));
});

test('once the digest is known it is the ETag, and conditions go by it', async () => {
  const { sender, bytes, transfer, url } = await offered();
  assert.equal((await curl(url, '--head')).headers.etag, undefined);
  const digest = sha256(bytes);
  ok(await sender.transfers.ask('source:end', { transfer, digest }));
  const { etag } = (await curl(url, '--head')).headers;
  assert.match(etag, /^"[^"]+"$/);
  const ask = (...headers) => curl(url, ...headers.flatMap((header) => ['--header', header]));
  assert.equal((await ask(`If-None-Match: ${etag}`)).status, 304);
  assert.equal((await ask('If-None-Match: "another"', 'Range: bytes=0-9')).status, 206);
  const same = await ask(`If-Range: ${etag}`, 'Range: bytes=5-9');
  assert.equal(same.status, 206);
  assert.deepEqual(same.body, bytes.subarray(5, 10));
  const other = await ask('If-Range: "another"', 'Range: bytes=5-9');
  assert.equal(other.status, 200);
  assert.equal(sha256(other.body), sha256(bytes));
});

test('several downloads at once by one token are fine', async () => {
  const { bytes, url } = await offered();
  const ranges = Array.from({ length: 5 }, (_, index) => [index * MIB, Math.min(SIZE, (index + 1) * MIB)]);
  const parts = await Promise.all(ranges.map(([from, to]) => curl(url, '--range', `${from}-${to - 1}`)));
  for (const [index, [from, to]] of ranges.entries()) {
    assert.equal(parts[index].status, 206);
    assert.equal(sha256(parts[index].body), sha256(bytes.subarray(from, to)));
  }
});

test('an empty file is a download too', async () => {
  const { sender, transfer, url } = await offered(Buffer.alloc(0));
  const { status, headers, body } = await curl(url);
  assert.equal(status, 200);
  assert.equal(headers['content-length'], '0');
  assert.equal(body.length, 0);
  await sender.state(transfer, 'complete');
});

test('any file name comes out of Content-Disposition as it went in', async () => {
  for (const name of [
    'plain.txt',
    'two words.txt',
    `it's "quoted" \u0060and\u0060.txt`,
    'semi;colon=equals,comma.txt',
    'Grüße aus Köln.txt',
    '文件 🦦.pdf',
    '100%.txt',
    'a%2F..%2Fb',
    '\u202Egpj.exe',
    "a'b*c(d).txt",
    'é'.repeat(127),
    '-rf',
    '<img src=x onerror=alert(1)>.html',
  ]) {
    const { url } = await offered(Buffer.from('x'), { name });
    const { headers } = await curl(url);
    const value = headers['content-disposition'];
    assert.match(value, /^[\x20-\x7e]*$/, 'a header is ASCII');
    assert.equal(nameIn(value), name, value);
  }
});

test('inline is for what cannot do harm, and sandboxed', async () => {
  for (const [type, shown] of [
    ['image/png', true],
    ['image/jpeg', true],
    ['audio/mpeg', true],
    ['video/mp4', true],
    ['application/pdf', true],
    ['text/plain', true],
    ['image/svg+xml', false],
    ['text/html', false],
    ['application/xhtml+xml', false],
    ['text/xml', false],
    ['text/javascript', false],
    ['application/octet-stream', false],
    ['IMAGE/SVG+XML', false],
    ['text/html; a=image/png', false],
    ['image/png, text/html', false],
  ]) {
    const { url } = await offered(Buffer.from('x'), { type });
    const inline = await curl(`${url}&inline=1`);
    assert.match(inline.headers['content-disposition'], shown ? /^inline/ : /^attachment/, type);
    assert.match(inline.headers['content-security-policy'], /\bsandbox\b/, type);
    assert.equal(inline.headers['x-content-type-options'], 'nosniff', type);
    assert.match((await curl(url)).headers['content-disposition'], /^attachment/, type);
  }
});

test('a wrong token is forbidden, and an unknown transfer is not found', async () => {
  const { transfer, url, token, sourceToken } = await offered();
  const other = await offered();
  const at = (path) => curl(`${server.url}${path}`);
  const content = `/transfers/${transfer}/content`;
  for (const path of [
    content,
    `${content}?token=`,
    `${content}?token=${'0'.repeat(32)}`,
    `${content}?token=${token}x`,
    `${content}?token=${other.token}`,
    `${content}?token=${sourceToken}`,
    `${content}?token=${'a'.repeat(5000)}`,
    `${content}?token=%00%ff`,
  ]) {
    const { status, headers, body } = await at(path);
    assert.ok([403, 400].includes(status), `${status} for ${path}`);
    assert.match(headers['content-type'], /^application\/json/);
    assert.ok(['not_allowed', 'bad_request'].includes(envelope(body).data.error));
  }
  const forbidden = await at(`${content}?token=${'0'.repeat(32)}`);
  assert.equal(forbidden.status, 403);
  assert.equal(envelope(forbidden.body).data.error, 'not_allowed');
  for (const id of ['0123456789abcdef', 'x', '..%2f..%2fetc%2fpasswd', '%00', 'a'.repeat(3000)]) {
    const { status, body } = await at(`/transfers/${id}/content?token=${token}`);
    assert.ok([404, 400].includes(status), `${status} for ${id}`);
    assert.ok(['transfer_not_found', 'bad_request'].includes(envelope(body).data.error), id);
  }
  const unknown = await at(`/transfers/0123456789abcdef/content?token=${token}`);
  assert.equal(unknown.status, 404);
  assert.equal(envelope(unknown.body).data.error, 'transfer_not_found');
  assert.equal((await curl(url, '--head')).status, 200, 'the right one still works');
});

test('a transfer that is over is gone', async () => {
  const { sender, transfer, url } = await offered();
  ok(await sender.rooms.ask('transfer:cancel', { transfer }));
  const { status, body } = await curl(url);
  assert.equal(status, 410);
  assert.equal(envelope(body).data.error, 'transfer_closed');
});

test('other methods and other paths are answered with an envelope', async () => {
  const { url } = await offered();
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const { status } = await curl(url, '--request', method);
    assert.equal(status, 405, method);
  }
  const { status, body } = await curl(`${server.url}/no/such/path`, '--header', 'Accept: application/json');
  assert.equal(status, 404);
  assert.equal(envelope(body).data.error, 'not_found');
  assert.equal((await curl(`${server.url}/healthz`)).status, 200);
});

/** A sender and two receivers in a room of their own. */
async function people() {
  const room = newRoom();
  const [sender, receiver, other] = await Promise.all([1, 2, 3].map(() => join(server.url, room)));
  return { sender, receiver, other };
}

/** A file in a sender's hands, accepted by a receiver that has its address. */
async function offered(bytes = randomFile(SIZE), file = {}) {
  const { sender, receiver, other } = await people();
  const { transfer, token: sourceToken, source } = await sender.send(bytes, file);
  const { url, token } = await receiver.accept(transfer);
  assert.ok(url.startsWith(`/transfers/${transfer}/content?token=`), url);
  return { sender, receiver, other, bytes, transfer, source, sourceToken, token, url: server.url + url };
}

function envelope(body) {
  const words = JSON.parse(body.toString());
  assert.equal(words.code, -1);
  assert.ok(words.msg.length > 0);
  return words;
}

/** The file name in a Content-Disposition, as RFC 6266 has a browser find it. */
function nameIn(value) {
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(value);
  if (extended) {
    assert.match(extended[1], /^(%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])*$/, 'RFC 8187 ext-value');
    return decodeURIComponent(extended[1]);
  }
  const quoted = /filename="((?:[^"\\]|\\.)*)"/.exec(value);
  if (quoted) return quoted[1].replace(/\\(.)/g, '$1');
  return /filename=([^;\s]+)/.exec(value)?.[1];
}

function sizeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
