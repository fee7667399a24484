// Uploads in chunks, by fetch and curl: in any order, in parallel, from several clients, repeated, over several
// nodes, and over a server that is killed in the middle; and what no good client would send.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { startCluster } from './harness/cluster.mjs';
import { curl } from './harness/curl.mjs';
import { refused } from './harness/envelope.mjs';
import { withstandsBadRanges } from './harness/ranges.mjs';
import { startS3 } from './harness/s3.mjs';
import { startNode } from './harness/server.mjs';
import { RawPost, Upload, done, handshake, md5, rawForm, sendForm } from './harness/upload.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 2 * MIB + 7;
const running = [];
const folders = [];

let server;
before(async () => (server = await start(newFolder())));
after(async () => {
  await Promise.all(running.map((one) => one.stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder() {
  const folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-upload-'));
  folders.push(folder);
  return joinPath(folder, 'data');
}

async function start(data, settings = {}) {
  const started = await startNode({ STORE__URL: `file:${data}`, ...settings });
  running.push(started);
  return started;
}

const reversed = (ids) => ids.reverse();
const isHere = (answer, upload, from = server) =>
  assert.equal(answer, `${from.url}/upload/${upload.fileId}${upload.ext}`);

/** The file as anyone may have it, whole and of the right bytes. */
async function comes(url, bytes) {
  const { status, body } = await curl(url);
  assert.equal(status, 200);
  assert.equal(sha256(body), sha256(bytes));
}

/** A refusal in the documented form; its `msg` says why in words, after the error's name. */
function refusedWith({ status, body }, code, name, words = /./) {
  assert.deepEqual({ status, code: body?.code, data: body?.data }, { status: code, code, data: null }, JSON.stringify(body));
  assert.ok(body.msg.startsWith(`${name}: `), body.msg);
  assert.match(body.msg, words);
}

/** What is written down of unfinished uploads in a folder. */
const partsAndPlans = (data) => ['upload-parts', 'upload-plans'].flatMap((kind) => filesBelow(joinPath(data, 'records', kind)));

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  // `name#1` is what a crash cut off while it was written: nobody reads it, and a sweep removes it.
  const isFile = (name) => !name.includes('#') && statSync(joinPath(folder, name), { throwIfNoEntry: false })?.isFile();
  return readdirSync(folder, { recursive: true }).filter(isFile);
}

test('each answer names what is still needed, in the order of the file, and the last one the URL', async () => {
  const upload = new Upload(randomFile(SIZE));
  assert.deepEqual(done(await upload.handshake(server)), { code: 0, msg: '', data: upload.ids });
  const left = [...upload.ids];
  while (left.length > 1) {
    const [id] = left.splice((left.length * 7) % (left.length - 1), 1);
    const answer = await upload.send(server, id);
    assert.deepEqual(done(answer).data, left);
    assert.deepEqual(await upload.send(server, id), answer, 'once more is answered the same');
    assert.deepEqual(done(await upload.handshake(server)).data, left);
  }
  const early = await curl(`${server.url}/upload/${upload.fileId}${upload.ext}`);
  assert.equal(early.status, 404, 'nobody has half of it');
  const last = await upload.send(server, left[0]);
  isHere(done(last).data, upload);
  assert.deepEqual(await upload.send(server, left[0]), last, 'also the last one');
  assert.deepEqual(done(await upload.handshake(server)), last.body, 'and whoever comes later sends nothing');
  await comes(last.body.data, upload.bytes);
});

test('several clients send the same file at once, each cut in its own way', async () => {
  const bytes = randomFile(SIZE);
  const clients = [
    new Upload(bytes),
    new Upload(bytes),
    new Upload(bytes, { chunk: 300 * KIB }),
    new Upload(bytes, { chunk: SIZE, indexed: false }),
  ];
  const answers = await Promise.all(
    clients.map((client, number) => client.run(server, { order: number % 2 ? reversed : undefined })),
  );
  for (const answer of answers) isHere(answer, clients[0]);
  await comes(answers[0], bytes);
});

test('equal chunks with an index, equal ones without, one chunk and no byte at all are files too', async () => {
  const same = Buffer.alloc(4 * 64 * KIB + 1, 'same');
  for (const upload of [
    new Upload(same, { chunk: 64 * KIB }),
    new Upload(Buffer.concat([same, same]), { chunk: 64 * KIB, indexed: false }),
    new Upload(randomFile(10)),
    new Upload(Buffer.alloc(0), { ext: '' }),
  ]) {
    const answer = await upload.run(server, { lanes: 1 });
    isHere(answer, upload);
    await comes(answer, upload.bytes);
  }
  const fresh = await start(newFolder());
  const empty = done(await handshake(fresh, { fileId: md5(''), ext: '.txt', chunkIds: [] }));
  assert.equal((await curl(empty.data)).headers['content-length'], '0');
});

test('a form may have its fields in any order, and come from curl', async () => {
  for (const order of [['fileId', 'chunkId', 'file'], ['file', 'chunkId', 'fileId'], ['chunkId', 'file', 'fileId']]) {
    const upload = new Upload(randomFile(1000), { chunk: 600 });
    await upload.handshake(server);
    const [first, second] = upload.ids;
    const fields = { fileId: upload.fileId, chunkId: first, file: upload.chunks[0] };
    const sent = await sendForm(server, Object.fromEntries(order.map((name) => [name, fields[name]])));
    assert.deepEqual(done(sent).data, [second]);
    const form = ['--form', 'file=@-', '--form-string', `chunkId=${second}`, '--form-string', `fileId=${upload.fileId}`];
    const answer = await curlWith(upload.chunks[1], `${server.url}/api/upload`, ...form);
    isHere(answer.data, upload);
  }
});

test('killed in the middle and started again, only what is missing is asked for', async () => {
  const data = newFolder();
  for (const round of [1, 2, 3]) {
    const upload = new Upload(randomFile(24 * 64 * KIB + round), { chunk: 64 * KIB });
    const first = await start(data);
    await upload.handshake(first);
    const acknowledged = new Set();
    const left = [...upload.ids];
    const lane = async () => {
      for (let id = left.shift(); id; id = left.shift()) {
        if (!Array.isArray(done(await upload.send(first, id)).data)) return;
        acknowledged.add(id);
      }
    };
    const sending = Promise.allSettled([lane(), lane(), lane()]);
    await until('some of it is there', () => acknowledged.size >= 5 * round);
    await first.kill();
    await sending;
    const second = await start(data);
    const before = new Set(acknowledged);
    const { data: needed } = done(await upload.handshake(second));
    assert.deepEqual(needed.filter((id) => before.has(id)), [], 'what was acknowledged is there');
    assert.ok(needed.length > 0 && needed.length <= upload.ids.length - before.size);
    // Whoever has not noticed goes on without another handshake.
    assert.ok(Array.isArray(done(await upload.send(second, needed[0])).data) || needed.length === 1);
    const url = await upload.run(second);
    await comes(url, upload.bytes);
    await until('nothing else is left of it', () => partsAndPlans(data).length === 0, () => partsAndPlans(data).join());
    await second.kill();
    const third = await start(data);
    await comes(url.replace(second.url, third.url), upload.bytes);
    await third.kill();
  }
});

test('chunks that do not make the file are refused, and one may begin anew', async () => {
  const upload = new Upload(randomFile(1000), { chunk: 500 });
  const swapped = [...upload.ids].reverse();
  await upload.handshake(server, { chunkIds: swapped });
  await upload.send(server, swapped[0]);
  refusedWith(await upload.send(server, swapped[1]), 403, 'digest_mismatch', /begin anew/);
  assert.deepEqual(done(await upload.handshake(server, { chunkIds: swapped })).data, swapped);
  isHere(await upload.run(server), upload);
});

test('the file comes by range, with conditions, and safe to have', async () => {
  const upload = new Upload(randomFile(9 * MIB + 7), { chunk: 2 * MIB, ext: '.mp4' });
  const url = await upload.run(server);
  const whole = await curl(url);
  assert.equal(whole.headers['content-type'], 'video/mp4');
  assert.equal(whole.headers['content-disposition'].split(';')[0], 'attachment');
  assert.equal(whole.headers['x-content-type-options'], 'nosniff');
  assert.match(whole.headers['content-security-policy'], /^sandbox/);
  assert.equal(whole.headers['accept-ranges'], 'bytes');
  assert.equal(sha256(whole.body), sha256(upload.bytes));
  const part = await curl(url, '--range', `${4 * MIB - 3}-${8 * MIB + 5}`);
  assert.equal(part.status, 206);
  assert.equal(part.headers['content-range'], `bytes ${4 * MIB - 3}-${8 * MIB + 5}/${upload.bytes.length}`);
  assert.equal(sha256(part.body), sha256(upload.bytes.subarray(4 * MIB - 3, 8 * MIB + 6)));
  const head = await curl(url, '--head');
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-length'], String(upload.bytes.length));
  const known = await curl(url, '--header', `If-None-Match: ${whole.headers.etag}`);
  assert.equal(known.status, 304);
  for (const [tag, status] of [[whole.headers.etag, 206], ['"other"', 200], [whole.headers['last-modified'], 206]]) {
    assert.equal((await curl(url, '--range', '5-9', '--header', `If-Range: ${tag}`)).status, status, tag);
  }
  assert.equal((await curl(url, '--header', 'If-Match: "other"')).status, 412);
  assert.match((await curl(`${url}?inline=1`)).headers['content-disposition'], /^inline/);
  const small = new Upload(randomFile(1000));
  await withstandsBadRanges(await small.run(server), small.bytes);
});

test('another ext is another address of the same bytes, and never more than a type', async () => {
  const upload = new Upload(Buffer.from('<script>alert(1)</script>'), { ext: '.txt' });
  await upload.run(server);
  const { data } = done(await upload.handshake(server, { ext: '.html' }));
  assert.equal(data, `${server.url}/upload/${upload.fileId}.html`);
  const { headers, body } = await curl(`${data}?inline=1`);
  assert.equal(sha256(body), sha256(upload.bytes));
  assert.match(headers['content-disposition'], /^attachment/);
  assert.match(headers['content-security-policy'], /^sandbox/);
  const unfinished = new Upload(randomFile(1000), { chunk: 600, ext: '.a' });
  await unfinished.handshake(server);
  await unfinished.send(server, unfinished.ids[0]);
  const changed = done(await unfinished.handshake(server, { ext: '.b' }));
  assert.deepEqual(changed.data, [unfinished.ids[1]], 'what is here stays here');
  const answer = done(await unfinished.send(server, unfinished.ids[1])).data;
  assert.equal(answer, `${server.url}/upload/${unfinished.fileId}.b`, 'as it was asked for last');
});

test('the URL is the one by which the server was reached', async () => {
  const upload = new Upload(randomFile(10));
  await upload.run(server);
  const { ids: chunkIds, fileId, ext } = upload;
  const body = JSON.stringify({ fileId, ext, chunkIds });
  const forwarded = ['--header', 'Host: files.example', '--header', 'X-Forwarded-Proto: https'];
  const answer = await curlWith(body, `${server.url}/api/upload/handshake`, ...forwarded, '--data-binary', '@-');
  assert.equal(answer.data, `https://files.example/upload/${fileId}${ext}`);
});

test('wrong and missing fields are 403 in the documented form', async () => {
  const upload = new Upload(randomFile(1000), { chunk: 600 });
  for (const fields of [
    '',
    '[',
    '[]',
    'null',
    '{}',
    { fileId: undefined },
    { fileId: 5 },
    { fileId: 'x' },
    { fileId: '../../../../../../../../etc/pass' },
    { fileId: `${upload.fileId}0` },
    { ext: undefined },
    { ext: 'jpg' },
    { ext: '/../../x' },
    { ext: '.a/b' },
    { ext: '.%2e' },
    { ext: `.${'a'.repeat(17)}` },
    { chunkIds: undefined },
    { chunkIds: upload.ids[0] },
    { chunkIds: [] },
    { chunkIds: [5] },
    { chunkIds: ['../x'] },
    { chunkIds: [`${upload.ids[0]}../x`] },
    { chunkIds: Array.from({ length: 10_001 }, (_, index) => `${md5('x')}${index}`) },
  ]) {
    const answer = typeof fields === 'string' ? await handshake(server, fields) : await upload.handshake(server, fields);
    refusedWith(answer, 403, 'bad_request');
  }
  const petabyte = Array.from({ length: 200_000 }, (_, index) => `${md5('x')}${index}`);
  refusedWith(await upload.handshake(server, { chunkIds: petabyte }), 413, 'too_large');
  await upload.handshake(server);
  const [id] = upload.ids;
  for (const [fields, words] of [
    [{ file: undefined }, /file is missing/],
    [{ chunkId: undefined }, /chunkId is missing/],
    [{ fileId: undefined }, /fileId is missing/],
    [{ fileId: 'x' }, /fileId is/],
    [{ fileId: '../../etc/passwd' }, /fileId is/],
    [{ chunkId: '/etc/passwd' }, /A chunk's id/],
    [{ chunkId: 'x'.repeat(100_000) }, /longer/],
  ]) {
    refusedWith(await upload.send(server, id, fields), 403, 'bad_request', words);
  }
  const notAForm = await curlWith('file=1', `${server.url}/api/upload`, '--data-binary', '@-');
  assert.equal(notAForm.code, 403);
  assert.deepEqual(done(await upload.handshake(server)).data, upload.ids, 'nothing came of it');
});

test('a chunk that is not its MD5, or that nobody named, is refused and changes nothing', async () => {
  const upload = new Upload(randomFile(1000), { chunk: 600 });
  const [first, second] = upload.ids;
  refusedWith(await upload.send(server, first), 403, 'unexpected_chunk', /handshake/);
  await upload.handshake(server);
  const strange = { chunkId: `${md5('strange')}0`, file: Buffer.from('strange') };
  refusedWith(await upload.send(server, first, strange), 403, 'unexpected_chunk');
  refusedWith(await upload.send(server, first, { chunkId: `${first}7` }), 403, 'unexpected_chunk');
  refusedWith(await upload.send(server, first, { file: upload.chunks[1] }), 403, 'digest_mismatch');
  refusedWith(await upload.send(server, first, { file: Buffer.alloc(0) }), 403, 'digest_mismatch');
  assert.deepEqual(done(await upload.send(server, second)).data, [first]);
  refusedWith(await upload.send(server, second, { file: upload.chunks[0] }), 403, 'digest_mismatch');
  isHere(done(await upload.send(server, first)).data, upload);
});

test('what is too large, or for which there is no room, is refused in words', async () => {
  const small = await start(newFolder(), { STORE__MAX_SIZE: '1MB', STORE__QUOTA: '1500kB' });
  const large = new Upload(randomFile(1_100_000), { chunk: 400_000 });
  done(await large.handshake(small));
  done(await large.send(small, large.ids[0]));
  done(await large.send(small, large.ids[1]));
  refusedWith(await large.send(small, large.ids[2]), 413, 'too_large', /1000000 bytes/);
  const other = new Upload(randomFile(900_000), { chunk: 450_000 });
  done(await other.handshake(small));
  refusedWith(await other.send(small, other.ids[0]), 507, 'storage_full', /no room/);
  const data = newFolder();
  const bounded = await start(data);
  const huge = new Upload(Buffer.alloc(64 * MIB + 1), { chunk: 128 * MIB });
  await huge.handshake(bounded);
  refusedWith(await huge.send(bounded, huge.ids[0]), 413, 'too_large', /make smaller ones/);
  const { body, type } = rawForm({ fileId: huge.fileId, chunkId: huge.ids[0], file: 'x' });
  const announced = new RawPost(bounded, '/api/upload', { type, length: 100 * MIB });
  announced.send(body);
  refusedWith(await announced.answer(), 413, 'too_large');
  assert.ok(bounded.memory().most < 200, `${bounded.memory().most} MiB`);
});

test('a form that is cut short, too long or slow is answered, and leaves nothing', async () => {
  const data = newFolder();
  const hasty = await start(data, { LIMITS__UPLOAD_PATIENCE: '2s' });
  const upload = new Upload(randomFile(100_000), { chunk: 60_000 });
  await upload.handshake(hasty);
  const { body, type } = rawForm({ fileId: upload.fileId, chunkId: upload.ids[0], file: upload.chunks[0] });
  const cut = body.subarray(0, 30_000);
  const short = new RawPost(hasty, '/api/upload', { type, length: cut.length });
  short.send(cut);
  refusedWith(await short.answer(), 403, 'bad_request', /boundary/);
  const broken = new RawPost(hasty, '/api/upload', { type, length: body.length });
  broken.send(cut);
  broken.end();
  const told = await broken.answer();
  if (told.body) refusedWith(told, 403, 'bad_request', /announced end/);
  const slow = new RawPost(hasty, '/api/upload', { type, length: body.length });
  slow.send(cut);
  refusedWith(await slow.answer(), 408, 'too_slow');
  const silent = new RawPost(hasty, '/api/upload/handshake', { type: 'application/json', length: 100 });
  refusedWith(await silent.answer(), 408, 'too_slow');
  const gone = new RawPost(hasty, '/api/upload', { type, length: body.length });
  gone.send(cut);
  gone.abort();
  assert.deepEqual(done(await upload.handshake(hasty)).data, upload.ids);
  assert.deepEqual(filesBelow(joinPath(data, 'manifests')), []);
  const long = new RawPost(hasty, '/api/upload', { type, length: body.length });
  long.send(Buffer.concat([body, Buffer.from('GET / HTTP/1.1\r\n\r\nand more')]));
  assert.equal((await long.answer()).status, 200, 'what is beyond the announced end is no part of it');
});

test('no address but that of a file is anything', async () => {
  const upload = new Upload(randomFile(10), { ext: '.txt' });
  const url = await upload.run(server);
  for (const path of [
    '/upload/',
    '/upload',
    '/upload/x',
    `/upload/${md5('nothing')}.txt`,
    `/upload/${upload.fileId}.txt/`,
    `/upload/${upload.fileId}/../${upload.fileId}.txt`,
    `/upload/../upload/${upload.fileId}.txt`,
    `/upload/%2e%2e/${upload.fileId}.txt`,
    `/upload/${upload.fileId}.txt%00`,
    `/upload/${upload.fileId}.t%78t`,
    `/upload/${upload.fileId}..txt`,
    `/upload/${upload.fileId}.tar.gz`,
    `/upload/..%2f..%2fetc%2fpasswd`,
    `/upload/${'../'.repeat(20)}etc/passwd`,
    `/upload/upload-${upload.fileId}`,
  ]) {
    const { status, body } = await curl(`${server.url}${path}`, '--path-as-is', '--globoff');
    assert.equal(status, 404, path);
    refused(JSON.parse(body), 'not_found');
  }
  for (const method of ['POST', 'PUT', 'DELETE']) {
    assert.equal((await curl(url, '--request', method)).status, 405, method);
  }
  assert.equal((await curl(`${server.url}/api/upload`)).status, 405);
});

test('a file whose time is over is gone, and may be uploaded again', async () => {
  const brief = await start(newFolder(), { STORE__LIFETIME: '3s' });
  const upload = new Upload(randomFile(1000), { chunk: 600 });
  const url = await upload.run(brief);
  await comes(url, upload.bytes);
  await until('it is gone', async () => (await curl(url)).status === 404);
  assert.deepEqual(done(await upload.handshake(brief)).data, upload.ids);
  await comes(await upload.run(brief), upload.bytes);
});

test('a server that keeps nothing says so', async () => {
  const bare = await startNode({ STORE__URL: 'none' });
  running.push(bare);
  const upload = new Upload(randomFile(10));
  refusedWith(await upload.handshake(bare), 403, 'not_allowed', /keeps nothing/);
  refusedWith(await upload.send(bare, upload.ids[0]), 403, 'not_allowed', /keeps nothing/);
  assert.equal((await curl(`${bare.url}/upload/${upload.fileId}.bin`)).status, 404);
});

test('pages of other origins may upload where they may connect', async () => {
  const strict = await start(newFolder(), { SOCKETIO__ORIGINS: 'https://app.example' });
  const upload = new Upload(randomFile(10));
  const asked = (origin) =>
    fetch(`${strict.url}/api/upload/handshake`, {
      method: 'POST',
      headers: { origin },
      body: JSON.stringify({ fileId: upload.fileId, ext: '', chunkIds: upload.ids }),
    });
  const friend = await asked('https://app.example');
  assert.equal(friend.status, 200);
  assert.equal(friend.headers.get('access-control-allow-origin'), 'https://app.example');
  assert.equal((await asked('https://evil.example')).status, 403);
});

for (const place of ['a folder', 'S3']) {
  test(`over two nodes with ${place}, each chunk may go to any, and any serves the file`, async () => {
    const s3 = place === 'S3' ? await startS3() : null;
    const settings = s3 ? { STORE__URL: 's3://bucket/uploads' } : { STORE__URL: `file:${newFolder()}` };
    const cluster = await startCluster({ nodes: 2, settings });
    running.push(cluster);
    await cluster.ready();
    const [first, second] = cluster.nodes;
    const upload = new Upload(randomFile(20 * 64 * KIB + 7), { chunk: 64 * KIB });
    done(await upload.handshake(first));
    const [early, late] = [upload.ids.slice(0, 9), upload.ids.slice(9)];
    await Promise.all(early.map((id, index) => upload.send([second, first][index % 2], id).then(done)));
    assert.deepEqual(done(await upload.handshake(second)).data, late);
    assert.deepEqual(done(await upload.send(first, late[0])).data, late.slice(1), 'each knows of the other');
    // Two clients, each at a node of its own, send what is left.
    const urls = await Promise.all([upload.run(first), upload.run(second, { order: reversed })]);
    for (const [index, url] of urls.entries()) isHere(url, upload, cluster.nodes[index]);
    for (const url of urls) await comes(url, upload.bytes);
    await first.kill();
    await comes(urls[1], upload.bytes);
    const part = await curl(urls[1], '--range', '10-19');
    assert.equal(sha256(part.body), sha256(upload.bytes.subarray(10, 20)));
  });
}

/** A request by curl that reads `input`; the JSON of its answer. */
async function curlWith(input, url, ...options) {
  const { execFile } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = execFile('curl', ['--silent', '--show-error', ...options, url], (error, text) => {
      if (error) reject(error);
      else resolve(JSON.parse(text));
    });
    child.stdin.end(input);
  });
}
