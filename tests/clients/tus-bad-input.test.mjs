// Uploads in pieces, said wrongly: by single requests, since the real clients never say it. Whatever is wrong is
// answered at once and in words, nothing that was acknowledged is lost, and nothing else is kept.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { join, newRoom } from './harness/people.mjs';
import { startNode } from './harness/server.mjs';
import { BYTES, SPOKEN, base64, begin, begun, head, metadata, offsetOf, outcome, patch } from './harness/tus.mjs';
import { until, within } from './harness/wait.mjs';

const PETABYTE = 1125899906842624;
const servers = [];
const folders = [];

after(async () => {
  closeAll();
  await Promise.all(servers.map((server) => server.stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function start(settings = {}) {
  const folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-tus-'));
  folders.push(folder);
  const data = joinPath(folder, 'data');
  const server = await startNode({ STORE__URL: `file:${data}`, ...settings });
  servers.push(server);
  return { server, data, folder, url: server.url };
}

const shared = start();

const sha1 = (bytes) => createHash('sha1').update(bytes).digest('base64');

/** A body whose sender decides when bytes come, over a connection of its own. */
function slowly(address, headers, { length } = {}) {
  const sending = request(address, {
    method: 'PATCH',
    agent: false,
    headers: { ...BYTES, ...headers, ...(length ? { 'Content-Length': length } : {}) },
  });
  const answer = new Promise((resolve, reject) => {
    sending.once('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sending.once('error', reject);
  });
  answer.catch(() => {});
  return { sending, answer: () => within(answer, 'the answer to a slow body') };
}

/** Goes on sending, a little at a time, until `answered`; up to where. */
async function moveUntil(answered, slow, bytes, from) {
  let [sent, isAnswered] = [from, false];
  const over = () => void (isAnswered = true);
  answered.then(over, over);
  await until('the other is answered', () => {
    slow.sending.write(bytes.subarray(sent, (sent += 5)));
    return isAnswered;
  });
  return sent;
}

test('whoever asks is told what is spoken here, also a page of another site', async () => {
  const { url } = await shared;
  const response = await fetch(`${url}/tus/`, {
    method: 'OPTIONS',
    headers: { Origin: 'https://app.example', 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'upload-offset' },
  });
  assert.ok(response.ok);
  const said = Object.fromEntries(response.headers);
  assert.equal(said['tus-version'], '1.0.0');
  assert.equal(said['tus-max-size'], String(2 * 1024 * MIB));
  assert.match(said['tus-extension'], /creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation/);
  assert.match(said['tus-checksum-algorithm'], /sha1/);
  assert.match(said['access-control-allow-methods'], /PATCH.*DELETE/);
  assert.match(said['access-control-allow-headers'], /tus-resumable.*upload-offset.*upload-metadata/);
  const made = await begin(url, { 'Upload-Length': '5', Origin: 'https://app.example' });
  assert.match(made.headers.get('access-control-expose-headers'), /upload-offset.*location/);
  assert.match(made.headers.get('Location'), /^\/tus\/[0-9a-f]{32}$/);
  const expires = Date.parse(made.headers.get('Upload-Expires'));
  assert.ok(expires > Date.now() + 23 * 3600_000 && expires < Date.now() + 25 * 3600_000);
});

test('another version, or none, is refused', async () => {
  const { url } = await shared;
  const address = await begun(url, 5);
  for (const headers of [{}, { 'Tus-Resumable': '0.2.2' }]) {
    for (const [method, at] of [['POST', `${url}/tus/`], ['PATCH', address], ['HEAD', address], ['DELETE', address]]) {
      const response = await fetch(at, { method, headers: { ...headers, 'Upload-Length': '5' } });
      assert.equal(response.status, 412, method);
      assert.equal(response.headers.get('Tus-Version'), '1.0.0');
    }
  }
  assert.equal(await offsetOf(address), 0);
});

test('a request of the wrong form begins nothing', async () => {
  const { url, data } = await start({ STORE__MAX_SIZE: '1MB', STORE__QUOTA: '1500kB' });
  const room = newRoom();
  const named = (filename, more = {}) => ({ 'Upload-Length': '5', 'Upload-Metadata': metadata({ room, filename, ...more }) });
  for (const [expected, headers] of [
    ['400 bad_request', {}],
    ['400 bad_request', { 'Upload-Length': '-5' }],
    ['400 bad_request', { 'Upload-Length': 'five' }],
    ['400 bad_request', { 'Upload-Length': '5', 'Upload-Defer-Length': '1' }],
    ['400 bad_request', { 'Upload-Defer-Length': '2' }],
    ['400 bad_request', { 'Upload-Length': '5', 'Upload-Concat': 'whatever' }],
    ['400 bad_request', { 'Upload-Concat': 'final;' }],
    ['400 bad_request', { 'Upload-Concat': 'final;/tus/../../../etc/passwd' }],
    ['404 not_found', { 'Upload-Concat': `final;/tus/${'0'.repeat(32)}` }],
    ['400 bad_request', { 'Upload-Length': '5', 'Upload-Metadata': 'filename not-base64!' }],
    ['400 bad_request', { 'Upload-Length': '5', 'Upload-Metadata': 'a YQ==,a YQ==' }],
    ['400 bad_request', { 'Upload-Length': '5', 'Upload-Metadata': 'filename /////w==,room YQ==' }],
    ['413 too_large', { 'Upload-Length': '5', 'Upload-Metadata': `a ${'A'.repeat(9000)}` }],
    ['413 too_large', { 'Upload-Length': String(PETABYTE) }],
    ['413 too_large', { 'Upload-Length': '1000001' }],
    ['413 too_large', { 'Upload-Length': '9'.repeat(40) }],
    ['400 bad_request', { 'Upload-Length': '5', 'Upload-Metadata': metadata({ room: 'a b', filename: 'x' }) }],
    ['400 bad_request', { 'Upload-Length': '5', 'Upload-Metadata': metadata({ room }) }],
    ['400 bad_request', named('../../etc/passwd')],
    ['400 bad_request', named('..')],
    ['400 bad_request', named('a\\b')],
    ['400 bad_request', named('a\u0000b')],
    ['400 bad_request', named('x'.repeat(256))],
    ['400 bad_request', named('x', { path: '../up' })],
    ['400 bad_request', { ...named('x'), 'Roomdrop-Key': '../key' }],
  ]) {
    const response = await begin(url, headers);
    assert.equal((await outcome(response)).join(' '), expected, JSON.stringify(headers));
    assert.equal(response.headers.get('Tus-Resumable'), '1.0.0');
  }
  assert.equal(existsSync(data), false, 'nothing was written');
  const half = await begun(url, 800_000);
  assert.equal((await patch(half, 0, randomFile(800_000))).status, 204);
  assert.deepEqual(await outcome(await begin(url, { 'Upload-Length': '800000' })), [507, 'storage_full']);
});

test('an address that is no upload’s is not found, whatever is in it', async () => {
  const { url } = await shared;
  for (const id of ['0'.repeat(32), 'a', '..%2f..%2fetc%2fpasswd', '%00', 'A'.repeat(32), `${'0'.repeat(32)}%2f..`, 'x'.repeat(5000)]) {
    assert.equal((await head(`${url}/tus/${id}`)).status, 404, id);
    assert.deepEqual(await outcome(await patch(`${url}/tus/${id}`, 0, 'x')), [404, 'not_found'], id);
  }
  assert.equal((await fetch(`${url}/tus/`, { method: 'PATCH', headers: SPOKEN })).status, 405);
});

test('a body that does not begin where the upload stands, or is of another type, changes nothing', async () => {
  const { url } = await shared;
  const address = await begun(url, 10);
  assert.equal((await patch(address, 0, 'abcd')).status, 204);
  for (const [expected, headers] of [
    ['409 unexpected_chunk', { 'Upload-Offset': '0' }],
    ['409 unexpected_chunk', { 'Upload-Offset': '5' }],
    ['409 unexpected_chunk', { 'Upload-Offset': String(PETABYTE) }],
    ['400 bad_request', { 'Upload-Offset': '-4' }],
    ['400 bad_request', { 'Upload-Length': '11' }],
    ['415 unsupported_media', { 'Content-Type': 'application/octet-stream' }],
    ['400 bad_request', { 'Upload-Checksum': 'crc7 AAAA' }],
    ['400 bad_request', { 'Upload-Checksum': 'sha1 AAAA' }],
  ]) {
    assert.equal((await outcome(await patch(address, 4, 'efgh', headers))).join(' '), expected, JSON.stringify(headers));
  }
  const nowhere = await fetch(address, { method: 'PATCH', headers: BYTES, body: 'efgh' });
  assert.deepEqual(await outcome(nowhere), [400, 'bad_request']);
  assert.equal(await offsetOf(address), 4);
});

test('more bytes than the upload may have are refused, however they come', async () => {
  const { url } = await shared;
  const address = await begun(url, 10);
  assert.deepEqual(await outcome(await patch(address, 0, randomFile(11))), [413, 'too_large']);
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(randomFile(6));
      controller.enqueue(randomFile(6));
      controller.close();
    },
  });
  assert.deepEqual(await outcome(await patch(address, 0, stream)), [413, 'too_large']);
  assert.equal(await offsetOf(address), 0);
  const big = await begun(url, 8 * MIB);
  assert.deepEqual(await outcome(await patch(big, 0, randomFile(9 * MIB))), [413, 'too_large']);
});

test('a body counts with its checksum or not at all', async () => {
  const { url } = await shared;
  const bytes = randomFile(100 * KIB);
  const address = await begun(url, bytes.length);
  const half = bytes.subarray(0, 50 * KIB);
  const wrong = await patch(address, 0, half, { 'Upload-Checksum': `sha1 ${sha1('other')}` });
  assert.deepEqual(await outcome(wrong), [460, 'digest_mismatch']);
  assert.equal(await offsetOf(address), 0);
  const right = await patch(address, 0, half, { 'Upload-Checksum': `sha1 ${sha1(half)}` });
  assert.equal(right.status, 204);
  assert.equal(right.headers.get('Upload-Offset'), String(half.length));
  const slow = slowly(address, { 'Upload-Offset': half.length, 'Upload-Checksum': `sha1 ${sha1(half)}` }, { length: half.length });
  slow.sending.write(half.subarray(0, 1000));
  const other = until('it is under way', async () => (await patch(address, half.length, '')).status === 423);
  await moveUntil(other, slow, half, 1000);
  slow.sending.destroy();
  await until('its end is known', async () => (await patch(address, half.length, '')).status === 204);
  assert.equal(await offsetOf(address), half.length, 'what came of it is not counted');
  const room = newRoom();
  const said = { 'Upload-Length': '5', 'Upload-Metadata': metadata({ room, filename: 'a' }), 'Upload-Checksum': `sha1 ${sha1('other')}` };
  const first = await begin(url, { ...said, ...BYTES }, 'hello');
  assert.deepEqual(await outcome(first), [460, 'digest_mismatch']);
  assert.equal((await join(url, room)).joined.drops.length, 0);
});

test('of two senders at once one goes on, and nothing is lost', async () => {
  const { url } = await shared;
  const bytes = randomFile(4 * MIB);
  const address = await begun(url, bytes.length);
  const first = slowly(address, { 'Upload-Offset': 0 }, { length: bytes.length });
  first.sending.write(bytes.subarray(0, 1000));
  await until('what came is safe when it is asked for', async () => (await offsetOf(address)) === 1000);
  const other = patch(address, 1000, bytes.subarray(1000));
  const sent = await moveUntil(other, first, bytes, 1000);
  assert.deepEqual(await outcome(await other), [423, 'upload_busy']);
  first.sending.end(bytes.subarray(sent));
  assert.equal(await first.answer(), 204);
  assert.equal(await offsetOf(address), bytes.length);
});

test('a sender that stands still gives way to one that goes on', async () => {
  const { url } = await shared;
  const room = newRoom();
  const bytes = randomFile(MIB);
  const address = await begun(url, bytes.length, { 'Upload-Metadata': metadata({ room, filename: 'a' }) });
  const first = slowly(address, { 'Upload-Offset': 0 }, { length: bytes.length });
  first.sending.write(bytes.subarray(0, 1000));
  await until('what came is safe', async () => (await offsetOf(address)) === 1000);
  assert.equal((await patch(address, 1000, bytes.subarray(1000))).status, 204);
  assert.equal(await first.answer(), 423);
  const late = await join(url, room);
  const sink = await late.receive(late.joined.drops[0].transfers[0].transfer);
  assert.equal(sha256(await sink.whole()), sha256(bytes));
});

test('a body that is cut short leaves what came, and one that stands still for too long is ended', async () => {
  const { url } = await start({ LIMITS__UPLOAD_PATIENCE: '1s' });
  const bytes = randomFile(100 * KIB);
  const address = await begun(url, bytes.length);
  const cut = slowly(address, { 'Upload-Offset': 0 }, { length: bytes.length });
  cut.sending.write(bytes.subarray(0, 30_000));
  await until('some of it has come', async () => (await offsetOf(address)) === 30_000);
  cut.sending.write(bytes.subarray(30_000, 40_000), () => cut.sending.destroy());
  await until('all that came is there', async () => (await offsetOf(address)) === 40_000);
  const slow = slowly(address, { 'Upload-Offset': 40_000 }, { length: bytes.length - 40_000 });
  slow.sending.write(bytes.subarray(40_000, 50_000));
  assert.equal(await slow.answer(), 408);
  assert.equal(await offsetOf(address), 50_000);
  assert.equal((await patch(address, 50_000, bytes.subarray(50_000))).status, 204);
});

test('where only POST is known, the method stands in a header', async () => {
  const { url } = await shared;
  const address = await begun(url, 5);
  const post = (method, headers = {}, body) =>
    fetch(address, { method: 'POST', headers: { ...BYTES, 'X-HTTP-Method-Override': method, ...headers }, body });
  assert.equal((await post('PATCH', { 'Upload-Offset': '0' }, 'hel')).status, 204);
  assert.equal((await post('HEAD')).headers.get('Upload-Offset'), '3');
  assert.equal((await post('DELETE')).status, 204);
  assert.equal((await head(address)).status, 404);
  assert.equal((await post('TRACE')).status, 405);
  assert.equal((await post('ä b')).status, 400);
});

test('only pieces that are whole are put together, and what is put together takes no bytes', async () => {
  const { url } = await shared;
  const piece = (length) => begun(url, length, { 'Upload-Concat': 'partial' });
  const [a, b, whole] = [await piece(5), await piece(6), await begun(url, 5)];
  assert.equal((await patch(a, 0, 'hello')).status, 204);
  const final = (...of) => begin(url, { 'Upload-Concat': `final;${of.join(' ')}`, 'Upload-Metadata': `filename ${base64('x')}` });
  assert.deepEqual(await outcome(await final(a, b)), [400, 'bad_request']);
  assert.deepEqual(await outcome(await final(a, whole)), [400, 'bad_request']);
  assert.equal((await patch(b, 0, ' world')).status, 204);
  const made = await final(new URL(a).pathname, b);
  assert.equal(made.status, 201);
  const address = new URL(made.headers.get('Location'), url).href;
  const stands = await head(address);
  assert.equal(stands.headers.get('Upload-Length'), '11');
  assert.match(stands.headers.get('Upload-Concat'), /^final;\/tus\//);
  assert.equal((await head(a)).headers.get('Upload-Concat'), 'partial');
  assert.deepEqual(await outcome(await patch(address, 11, '')), [403, 'not_allowed']);
});

test('what has expired is gone', async () => {
  const { url, data } = await start({ STORE__LIFETIME: '1500ms', TRANSFERS__LIFETIME: '1s', TRANSFERS__STALL_TIMEOUT: '1s' });
  const address = await begun(url, 10);
  assert.equal((await patch(address, 0, 'hello')).status, 204);
  await until('its time is over', async () => (await head(address)).status === 410);
  assert.deepEqual(await outcome(await patch(address, 5, 'world')), [410, 'expired']);
  assert.ok(statSync(data).isDirectory());
});

test('more bodies at once than the server takes are refused, and may come again', async () => {
  const { url } = await start({ LIMITS__UPLOADS_AT_ONCE: '1' });
  const [one, two] = [await begun(url, 10), await begun(url, 5)];
  const first = slowly(one, { 'Upload-Offset': 0 }, { length: 10 });
  first.sending.write('hello');
  await until('it is under way', async () => (await offsetOf(one)) === 5);
  assert.deepEqual(await outcome(await patch(two, 0, 'hello')), [503, 'overloaded']);
  first.sending.end('world');
  assert.equal(await first.answer(), 204);
  assert.equal((await patch(two, 0, 'hello')).status, 204);
});

test('neither addresses nor names are in the log, nor in the names of what is stored', async () => {
  const { url, server, data } = await start({ LOG__LEVEL: 'debug' });
  const secret = randomUUID();
  const address = await begun(url, 5, { 'Upload-Metadata': metadata({ room: newRoom(), filename: secret }) });
  assert.equal((await patch(address, 0, 'hello')).status, 204);
  const id = address.split('/').at(-1);
  const names = readdirSync(data, { recursive: true }).join('\n');
  for (const word of [secret, id]) assert.ok(!server.log.includes(word) && !names.includes(word));
});
