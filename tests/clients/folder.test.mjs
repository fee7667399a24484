// The served folder by curl and by raw requests, since curl is too polite for some: what is in it comes whole and
// by range, and nothing else on this machine does, however it is asked for.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { curl } from './harness/curl.mjs';
import { refused } from './harness/envelope.mjs';
import { withstandsBadRanges } from './harness/ranges.mjs';
import { raw } from './harness/raw.mjs';
import { startNode } from './harness/server.mjs';

const SIZE = 3 * MIB + 7;
const SECRET = 'this must never leave the machine';

let server;
let root;
let bytes;
before(async () => {
  root = mkdtempSync(join(tmpdir(), 'roomdrop-folder-'));
  const inside = join(root, 'served');
  mkdirSync(join(inside, 'deep', 'er'), { recursive: true });
  bytes = randomFile(SIZE);
  put('served/film.mp4', bytes);
  put('served/deep/er/Grüße "aus" Köln.txt', 'hello');
  put('served/page.html', '<script>alert(1)</script>');
  put('secret.txt', SECRET);
  put('served/.env', SECRET);
  put('served/deep/.git', SECRET);
  symlinkSync('../secret.txt', join(inside, 'out'));
  symlinkSync('..', join(inside, 'up'));
  symlinkSync('/', join(inside, 'root'));
  symlinkSync('film.mp4', join(inside, 'alias.mp4'));
  execFileSync('mkfifo', [join(inside, 'pipe')]);
  server = await startNode({ FILES__DIR: inside });
});
after(async () => {
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

test('a file comes whole, by range, and goes on after a cut', async () => {
  const { status, headers, body } = await curl(url('film.mp4'));
  assert.equal(status, 200);
  assert.equal(sha256(body), sha256(bytes));
  assert.equal(headers['content-length'], String(SIZE));
  assert.equal(headers['content-type'], 'video/mp4');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.match(headers['content-disposition'], /^attachment; filename="film\.mp4"/);
  const held = join(root, 'held.mp4');
  writeFileSync(held, bytes.subarray(0, 1000));
  execFileSync('curl', ['-sS', '-C', '-', '-o', held, url('film.mp4')]);
  assert.equal(sha256(readFileSync(held)), sha256(bytes));
  for (const [range, from, to] of [
    ['0-0', 0, 1],
    [`${MIB}-${2 * MIB}`, MIB, 2 * MIB + 1],
    ['-10', SIZE - 10, SIZE],
    [`5-${SIZE * 2}`, 5, SIZE],
  ]) {
    const part = await curl(url('film.mp4'), '--range', range);
    assert.equal(part.status, 206, range);
    assert.equal(part.headers['content-range'], `bytes ${from}-${to - 1}/${SIZE}`);
    assert.equal(sha256(part.body), sha256(bytes.subarray(from, to)));
  }
});

test('a name of any kind is found by its encoded path', async () => {
  const path = ['deep', 'er', 'Grüße "aus" Köln.txt'].map(encodeURIComponent).join('/');
  const { status, headers, body } = await curl(url(`${path}?inline=1`));
  assert.equal(status, 200);
  assert.equal(String(body), 'hello');
  assert.match(headers['content-disposition'], /^inline; .*filename\*=UTF-8''Gr%C3%BC%C3%9Fe/);
  assert.match(headers['content-security-policy'], /^sandbox/);
  const page = await curl(url('page.html?inline=1'));
  assert.match(page.headers['content-disposition'], /^attachment/);
  assert.match(page.headers['content-security-policy'], /^sandbox/);
});

test('a range that is malformed is ignored, one beyond the end is not satisfiable', async () => {
  const content = randomFile(1000);
  put('served/ranges.bin', content);
  await withstandsBadRanges(url('ranges.bin'), content);
});

test('what is held is not sent again, and parts of two states are never put together', async () => {
  put('served/changing.bin', randomFile(100));
  const { headers } = await curl(url('changing.bin'));
  const known = await curl(url('changing.bin'), '--header', `If-None-Match: ${headers.etag}`);
  assert.equal(known.status, 304);
  assert.equal(known.body.length, 0);
  const since = await curl(url('changing.bin'), '--header', `If-Modified-Since: ${headers['last-modified']}`);
  assert.equal(since.status, 304);
  const rest = ['--range', '50-', '--header'];
  for (const condition of [headers.etag, headers['last-modified']]) {
    assert.equal((await curl(url('changing.bin'), ...rest, `If-Range: ${condition}`)).status, 206, condition);
  }
  put('served/changing.bin', randomFile(100), 1800);
  for (const condition of [headers.etag, headers['last-modified']]) {
    const { status, body } = await curl(url('changing.bin'), ...rest, `If-Range: ${condition}`);
    assert.equal(status, 200, condition);
    assert.equal(body.length, 100);
  }
  const matched = await curl(url('changing.bin'), '--header', `If-Match: ${headers.etag}`);
  assert.equal(matched.status, 412);
  refused(JSON.parse(matched.body), 'precondition_failed');
});

test('nothing but the files in it can be had, however it is asked for', async () => {
  const up = ['..', '%2e%2e', '%2E%2e', '.%2e', '%252e%252e', '%c0%ae%c0%ae', '..;', '..%00', '...'];
  const tricks = [
    ...up.flatMap((dots) => [
      `/download/${dots}/secret.txt`,
      `/download/deep/${dots}/${dots}/secret.txt`,
      `/download/${dots}%2fsecret.txt`,
      `/download/${dots}%5csecret.txt`,
      `/download/${dots}\\secret.txt`,
      `/download/film.mp4/${dots}/${dots}/secret.txt`,
    ]),
    `/download/${join(root, 'secret.txt')}`,
    `/download//${join(root, 'secret.txt')}`,
    `/download/${encodeURIComponent(join(root, 'secret.txt'))}`,
    '/download//etc/passwd',
    '/download/%2fetc%2fpasswd',
    '/download/file:///etc/passwd',
    '/download/C:%5cwindows%5cwin.ini',
    '/download/out',
    '/download/up/secret.txt',
    '/download/up/served/film.mp4',
    '/download/root/etc/passwd',
    '/download/pipe',
    '/download/.env',
    '/download/deep/.git',
    '/download/deep',
    '/download/deep/',
    '/download/deep/er',
    '/download/',
    '/download',
    '/download/film.mp4/',
    '/download/film.mp4%00.txt',
    '/download/film.mp4%20',
    '/download/%ff%fe',
    '/download/%',
    '/download/%zz',
    `/download/${'a/'.repeat(2000)}b`,
    `/download/${'x'.repeat(300)}`,
    `/download/${'x'.repeat(8000)}`,
  ];
  for (const path of tricks) {
    const { status, body } = await asIs(path);
    assert.ok([400, 404].includes(status), `${path}: ${status}`);
    assert.ok(!body.includes(SECRET) && !body.includes('root:'), path);
    if (status === 404) refused(JSON.parse(body), 'not_found');
    const polite = await curl(`${server.url}${path}`, '--path-as-is', '--globoff');
    assert.ok([400, 404].includes(polite.status), `${path}: ${polite.status}`);
  }
  const alias = await curl(url('alias.mp4'));
  assert.equal(sha256(alias.body), sha256(bytes), 'a link within the folder is followed');
});

test('other methods are refused in the documented form', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const { status, headers, body } = await curl(url('film.mp4'), '--request', method);
    assert.equal(status, 405, method);
    assert.match(headers.allow, /GET/);
    refused(JSON.parse(body), 'method_not_allowed');
  }
});

test('a file that becomes shorter while it is read breaks off, and is never filled up', async () => {
  put('served/log.txt', Buffer.alloc(64 * MIB, 'a'));
  const read = await new Promise((resolve, reject) => {
    const asked = request(url('log.txt'), (response) => {
      let held = 0;
      response.once('data', () => {
        response.pause();
        truncateSync(join(root, 'served/log.txt'), 32 * MIB);
        response.resume();
      });
      response.on('data', (part) => (held += part.length));
      response.once('close', () => resolve({ held, complete: response.complete }));
      response.on('error', () => {});
    });
    asked.once('error', reject).end();
  });
  assert.equal(read.complete, false);
  assert.ok(read.held <= 64 * MIB - KIB, String(read.held));
});

test('a folder that is none keeps the server from starting, and says which key to mend', async () => {
  await assert.rejects(startNode({ FILES__DIR: join(root, 'secret.txt') }), /files\.dir: cannot be served/);
});

test('without a folder there is nothing under the address', async () => {
  const bare = await startNode();
  try {
    const { status, body } = await curl(`${bare.url}/download/film.mp4`);
    assert.equal(status, 404);
    refused(JSON.parse(body), 'not_found');
  } finally {
    await bare.stop();
  }
});

/** Writes a file that was last changed an hour ago, or `age` seconds. */
function put(path, content, age = 3600) {
  writeFileSync(join(root, path), content);
  const then = Date.now() / 1000 - age;
  utimesSync(join(root, path), then, then);
}

const url = (path) => `${server.url}/download/${path}`;

/** A request with the path as it stands here, which HTTP clients would tidy up or refuse. */
async function asIs(path) {
  const answer = await raw(server.port, `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  const [head, ...body] = answer.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body: body.join('\r\n\r\n') };
}
