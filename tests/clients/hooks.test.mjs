// Hooks with real receivers: what they are told, signed and until they take it; how they are asked before a drop is
// offered; and that one which fails, hangs or comes too late holds up nobody.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { refused } from './harness/envelope.mjs';
import { hook, posted, said, script, SECRET, startReceiver } from './harness/hook.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startNode } from './harness/server.mjs';
import { Source } from './harness/source.mjs';
import { until, within } from './harness/wait.mjs';

let folder;
const open = [];
before(() => {
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-hooks-'));
});
after(async () => {
  closeAll();
  for (const thing of open) await thing.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a transfer from its offer to its end is told, signed as Standard Webhooks say', async () => {
  const { server, receiver } = await told({ on: ['offered', 'complete', 'failed'] });
  const { sender, receiver: person, bytes, drop, transfer, done } = await transferred(server);
  await done();
  const offered = await receiver.next('the offer', ({ type }) => type === 'offered');
  assert.equal(offered.id, `offered_${drop}`);
  assert.equal(offered.url, '/hook?key=s3cret');
  assert.equal(offered.headers['content-type'], 'application/json');
  assert.ok(Math.abs(Date.parse(offered.timestamp) - Date.now()) < 60_000);
  const { room, from, fromName, transfers } = offered.data;
  assert.deepEqual([room, from, fromName], [sender.room, sender.id, 'Ada']);
  assert.deepEqual(
    transfers.map(({ name, size, state }) => [name, size, state]),
    [['film.mp4', bytes.length, 'offered']],
  );
  const complete = await receiver.next('the completion', ({ type }) => type === 'complete');
  assert.equal(complete.id, `complete_${transfer}_1`);
  assert.equal(complete.data.drop, drop);
  assert.equal(complete.data.name, 'film.mp4');
  assert.equal(complete.data.type, 'video/mp4');
  assert.deepEqual(complete.data.receivers, [{ member: person.id, state: 'complete', received: bytes.length }]);
  const other = await sender.send(randomFile(10));
  sender.transfers.tell('source:fail', { transfer: other.transfer, reason: 'gone' });
  const failed = await receiver.next('the failure', ({ type }) => type === 'failed');
  assert.equal(failed.id, `failed_${other.transfer}`);
  assert.equal(failed.data.error, 'source_failed');
  const words = JSON.stringify(receiver.requests.map(({ body }) => body));
  assert.ok(!words.includes('token') && !words.includes(sender.key), 'no capability is told');
  for (const secret of ['s3cret', SECRET.slice(6), 'film.mp4']) assert.ok(!server.log.includes(secret), secret);
});

test('a late receiver completes it again, as another event', async () => {
  const { server, receiver } = await told({ on: ['complete'] });
  const { room, bytes, transfer, done } = await transferred(server);
  await done();
  const late = await join(server.url, room);
  await finish(await late.receive(transfer), bytes);
  await receiver.next('the second completion', ({ id }) => id === `complete_${transfer}_2`);
});

test('an event is told until it is taken, the same each time', async () => {
  const answers = [{ status: 500 }, { status: 307, headers: { location: '/elsewhere' } }, { status: 204 }];
  const { server, receiver } = await told({ on: ['offered'] }, (_, count) => answers[count - 1]);
  await offered(server);
  await until('it was told three times', () => receiver.requests.length === 3);
  const [first, second, third] = receiver.requests;
  assert.ok(second.id === first.id && third.id === first.id);
  assert.ok(second.body === first.body && third.body === first.body);
  assert.equal(third.url, first.url, 'a redirection is not followed');
  assert.ok(second.when - first.when >= 900, 'not at once');
  assert.ok(third.when - second.when >= 1900, 'and later each time');
  await until('the log says so', () => /a hook is told again later/.test(server.log));
});

test('a receiver that was away is told when it is there again', async () => {
  const gone = await startReceiver();
  const port = gone.port;
  await gone.close();
  const server = await node(posted({ url: `http://127.0.0.1:${port}/` }, { on: ['offered'] }));
  const { drop } = await offered(server);
  await until('it was missed', () => /it cannot be reached/.test(server.log), () => server.log);
  const back = await startReceiver(undefined, { port });
  await back.next('the event', ({ id }) => id === `offered_${drop}`);
  await back.close();
});

test('no more is told of an event to a receiver that says it wants none', async () => {
  const { server, receiver } = await told({ on: ['offered'] }, () => ({ status: 410 }));
  await offered(server);
  await until('it is given up', () => /a hook has not taken an event/.test(server.log));
  assert.equal(receiver.requests.length, 1);
});

test('a receiver that hangs holds up no transfer, and its queue is bounded', async () => {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  const keys = { on: ['offered'], queue: '4KiB', concurrent: 1 };
  const { server, receiver } = await told(keys, () => released);
  const { done } = await transferred(server);
  await done();
  const sender = await join(server.url, newRoom());
  for (let count = 0; count < 20; count += 1) await sender.offer([{ name: `${count}.bin`, size: 1 }]);
  await until('the log tells of it', () => /a hook's queue is full, and it misses events/.test(server.log));
  assert.equal(receiver.requests.length, 1, 'one at a time');
  release({});
  await until('what waited is told', () => receiver.requests.length === 4);
  const last = await sender.offer([{ name: 'last.bin', size: 1 }]);
  await receiver.next('what came after', ({ id }) => id === `offered_${last.drop}`);
});

test('an attempt that takes too long is broken off and made again', async () => {
  const never = new Promise(() => {});
  const { server, receiver } = await told({ on: ['offered'], timeout: '300ms' }, (_, count) => (count === 1 ? never : {}));
  await offered(server);
  await until('it was told twice', () => receiver.requests.length === 2);
  await until('the log says why', () => /no answer in time/.test(server.log));
});

test('over TLS it is told to those whose certificate is trusted alone', async () => {
  const [key, cert] = [joinPath(folder, 'key.pem'), joinPath(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const extent = ['-addext', 'basicConstraints=critical,CA:FALSE', '-days', '2'];
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...extent, '-keyout', key, '-out', cert, ...subject];
  execFileSync('openssl', made, { stdio: 'ignore' });
  const tls = { key: readFileSync(key), cert: readFileSync(cert) };
  const receiver = await startReceiver(undefined, { tls });
  open.push({ stop: () => receiver.close() });
  const settings = posted(receiver, { on: ['offered'], lifetime: '0s' });
  const stranger = await node(settings);
  await offered(stranger);
  await until('it is given up', () => /a hook has not taken an event/.test(stranger.log));
  process.env.SSL_CERT_FILE = cert;
  const trusting = await node(settings).finally(() => delete process.env.SSL_CERT_FILE);
  const { drop } = await offered(trusting);
  await receiver.next('the event', ({ id }) => id === `offered_${drop}`);
  assert.equal(receiver.requests.length, 1);
  assert.match(stranger.log, /certificate/);
});

test('a hook that may veto is asked before the offer appears to anyone', async () => {
  let allow;
  const asked = new Promise((resolve) => (allow = resolve));
  const { server, receiver } = await told({ on: ['offered'], veto: true }, () => asked);
  const room = newRoom();
  const [sender, person] = [await join(server.url, room, { name: 'Ada' }), await join(server.url, room)];
  const answer = sender.rooms.ask('drop:offer', { room, files: [{ name: 'film.mp4', size: 5 }], to: [person.id] });
  const question = await receiver.next('the question', ({ type }) => type === 'offered');
  assert.deepEqual(question.data.to, [person.id]);
  assert.equal(question.data.fromName, 'Ada');
  await person.rooms.ask('room:message', { room, text: 'has anything come?' });
  assert.deepEqual(person.rooms.inbox.all('drop:offered'), []);
  const newcomer = await join(server.url, room);
  assert.deepEqual(newcomer.joined.drops, []);
  allow({});
  const { data } = await within(answer, 'the answer to the offer');
  assert.equal(`offered_${data.drop}`, question.id);
  await person.offered(data.drop);
  assert.equal(receiver.requests.length, 1, 'it is not told what it was asked');
});

test('a veto is heard by who offers, with its sentence, and by nobody else', async () => {
  const veto = { status: 403, body: JSON.stringify({ msg: 'No films,\u0007 please.' }) };
  const { server } = await told({ on: ['offered'], veto: true }, ({ data }) => (/film/.test(data.transfers[0].name) ? veto : {}));
  const room = newRoom();
  const [sender, person] = [await join(server.url, room), await join(server.url, room)];
  const answer = await sender.rooms.ask('drop:offer', { room, files: [{ name: 'film.mp4', size: 5 }] });
  assert.equal(refused(answer, 'not_allowed').msg, 'No films, please.');
  const { drop } = await sender.offer([{ name: 'text.txt', size: 5 }]);
  await person.offered(drop);
  assert.equal(person.rooms.inbox.all('drop:offered').length, 1);
});

test('who offers without waiting for the answer to its join is asked about as who it is', async () => {
  const { server, receiver } = await told({ on: ['offered'], veto: true });
  const room = newRoom();
  const { link } = await join(server.url, newRoom());
  const joined = link.rooms.ask('room:join', { room, name: 'Hasty' });
  const offer = link.rooms.ask('drop:offer', { room, files: [{ name: 'a', size: 1 }] });
  assert.equal((await joined).code, 200);
  assert.equal((await offer).code, 200);
  assert.equal(receiver.requests[0].data.fromName, 'Hasty');
});

test('about what the room refuses anyway nobody is asked', async () => {
  const { server, receiver } = await told({ on: ['offered'], veto: true });
  const { link, room } = await join(server.url, newRoom());
  refused(await link.rooms.ask('drop:offer', { room, files: [] }), 'bad_request');
  refused(await link.rooms.ask('drop:offer', { room: newRoom(), files: [{ name: 'a', size: 1 }] }), 'room_not_found');
  refused(await link.rooms.ask('drop:offer', { room, files: [{ name: 'a', size: 1 }], to: ['x'] }), 'bad_request');
  assert.equal(receiver.requests.length, 0);
});

for (const [on_error, expected] of [
  ['refuse', 'overloaded'],
  ['allow', undefined],
]) {
  test(`a hook that is asked and does not answer: ${on_error}`, async () => {
    const never = new Promise(() => {});
    const answers = [never, { status: 500 }, { status: 302, headers: { location: '/' } }];
    const keys = { on: ['offered'], veto: true, on_error, timeout: '300ms' };
    const { server, receiver } = await told(keys, (_, count) => answers[count - 1]);
    const { link, room } = await join(server.url, newRoom());
    const offer = () => link.rooms.ask('drop:offer', { room, files: [{ name: 'a', size: 1 }] });
    for (const _ of answers) {
      const answer = await offer();
      if (expected) refused(answer, expected);
      else assert.equal(answer.code, 200);
    }
    await receiver.close();
    if (expected) refused(await offer(), expected);
    else assert.equal((await offer()).code, 200);
    await until('the log says so', () => (server.log.match(/was asked and did not answer/g) ?? []).length === 4);
  });
}

test('a command may veto: exit 1, with its first line as the sentence', async () => {
  const program = script(joinPath(folder, 'veto.sh'), 'grep -q film || exit 0\necho "No films, please."\nexit 1');
  const server = await node(hook(0, { on: ['offered'], command: [program], veto: true }));
  const sender = await join(server.url, newRoom());
  const files = [{ name: 'film.mp4', size: 5 }];
  const answer = await sender.rooms.ask('drop:offer', { room: sender.room, files });
  assert.equal(refused(answer, 'not_allowed').msg, 'No films, please.');
  await sender.offer([{ name: 'text.txt', size: 5 }]);
});

test('a command gets the event on its input, its arguments as they are, and none of our variables', async () => {
  const out = joinPath(folder, 'seen');
  const lines = `cat > ${out}.event\nenv > ${out}.env\nprintf '%s|' "$@" > ${out}.arguments`;
  const program = script(joinPath(folder, 'see.sh'), lines);
  const server = await node(hook(0, { on: ['complete'], command: [program, '$(reboot); "a" b', '*'] }));
  const { transfer, done } = await transferred(server);
  await done();
  await until('it has run', () => said(`${out}.arguments`));
  assert.equal(said(`${out}.arguments`), '$(reboot); "a" b|*|');
  const { type, data } = JSON.parse(said(`${out}.event`));
  assert.deepEqual([type, data.transfer], ['complete', transfer]);
  assert.match(said(`${out}.env`), /^PATH=/m);
  assert.doesNotMatch(said(`${out}.env`), /ROOMDROP/);
});

test('a command that takes too long is killed with what it has started', async () => {
  const pids = joinPath(folder, 'pids');
  const endless = "sh -c 'echo $$ >> PIDS; exec tail -f /dev/null > /dev/null' &\necho $$ >> PIDS\nwait".replaceAll('PIDS', pids);
  const program = script(joinPath(folder, 'slow.sh'), endless);
  const server = await node(hook(0, { on: ['offered'], command: [program], timeout: '1s' }));
  await offered(server);
  const running = () => said(pids).split('\n').filter((pid) => pid && isRunning(pid)).length;
  await until('both run', () => running() === 2);
  await until('both are gone', () => running() === 0);
});

test('a server that is told to end tells first what it has not tried to tell yet', async () => {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  const keys = { on: ['offered'], concurrent: 1 };
  const { server, receiver } = await told(keys, () => released, { SERVER__DRAIN_TIMEOUT: '30s' });
  const sender = await join(server.url, newRoom());
  for (let count = 0; count < 5; count += 1) await sender.offer([{ name: `${count}.bin`, size: 1 }]);
  await until('the first is told', () => receiver.requests.length === 1);
  sender.vanish();
  const ended = server.terminate();
  release({});
  assert.equal((await ended).code, 0);
  assert.equal(new Set(receiver.requests.map(({ id }) => id)).size, 5);
});

test('a server that is told to end does not wait for a receiver that has failed', async () => {
  const { server, receiver } = await told({ on: ['offered'] }, () => ({ status: 500 }), { SERVER__DRAIN_TIMEOUT: '30s' });
  const { sender } = await offered(server);
  await until('it has failed', () => /a hook is told again later/.test(server.log));
  sender.vanish();
  const { code, ms } = await server.terminate();
  assert.equal(code, 0);
  assert.ok(ms < 15_000, `${ms} ms`);
  assert.match(server.log, /events are lost that no hook has taken/);
  assert.ok(receiver.requests.length >= 1);
});

test('what a server was killed with is lost, and it starts again as if nothing were', async () => {
  const { server, receiver } = await told({ on: ['offered'] }, () => ({ status: 500 }));
  await offered(server);
  await until('it has failed', () => /a hook is told again later/.test(server.log));
  await server.kill();
  const before = receiver.requests.length;
  const again = await node(posted(receiver, { on: ['offered'] }));
  const { drop } = await offered(again);
  await receiver.next('a new event', ({ id }) => id === `offered_${drop}`);
  assert.equal(receiver.requests.slice(before).filter(({ id }) => id !== `offered_${drop}`).length, 0);
});

test('of many nodes one tells, whichever it happens at', async () => {
  const receiver = await startReceiver();
  const cluster = await startCluster({ nodes: 2, settings: posted(receiver, { on: ['offered', 'complete'] }) });
  try {
    await cluster.ready();
    const room = newRoom();
    const [sender, person] = [await join(cluster.nodes[0].url, room), await join(cluster.nodes[1].url, room)];
    const bytes = randomFile(100_000);
    const { drop, transfer } = await sender.send(bytes);
    await person.offered(drop);
    await finish(await person.receive(transfer), bytes);
    await receiver.next('the completion', ({ id }) => id === `complete_${transfer}_1`);
    await sender.state(transfer, 'complete');
    const after = await sender.send(randomFile(1));
    await receiver.next('what came after', ({ id }) => id === `offered_${after.drop}`);
    const ids = receiver.requests.map(({ id }) => id);
    assert.deepEqual(ids.toSorted(), [...new Set(ids)].toSorted(), 'each once');
  } finally {
    closeAll();
    await cluster.stop();
    await receiver.close();
  }
});

test('a configuration of hooks that cannot be meant is told with all its faults', async () => {
  const settings = {
    ...hook(0, { on: ['sent'], url: 'ftp://me:s3cret@a/' }),
    ...hook(1, { on: ['complete'], command: ['a'], veto: true }),
  };
  await assert.rejects(startNode(settings), ({ message }) => {
    for (const key of ['hooks.0.on', 'hooks.0.url', 'hooks.1.veto']) assert.ok(message.includes(key), message);
    return !message.includes('s3cret');
  });
});

test('the receiver of the README takes what is ours, refuses what is not, and may veto', async () => {
  const example = fileURLToPath(new URL('examples/hook.mjs', import.meta.url));
  const child = spawn(process.execPath, [example, '0'], { env: { ...process.env, HOOK_SECRET: SECRET } });
  let words = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (words += text));
  try {
    const [, port] = await until('it listens', () => /listening on (\d+)/.exec(words));
    const url = `http://127.0.0.1:${port}/`;
    const forged = await fetch(url, { method: 'POST', body: '{}', headers: { 'webhook-signature': 'v1,AAAA' } });
    assert.equal(forged.status, 401);
    const server = await node({
      ...hook(0, { on: ['offered'], url, secret: SECRET, veto: true }),
      ...hook(1, { on: ['complete'], url, secret: SECRET }),
    });
    const { sender, room, done } = await transferred(server);
    await done();
    await until('it has heard of both', () => words.includes(`complete ${room} film.mp4`), () => words);
    assert.ok(words.includes(`offered ${room} film.mp4`), words);
    const answer = await sender.rooms.ask('drop:offer', { room, files: [{ name: 'setup.exe', size: 5 }] });
    assert.equal(refused(answer, 'not_allowed').msg, 'No programs, please.');
  } finally {
    child.kill();
  }
});

test('the scanner of the README reads what is stored, and tells clean from infected and from not scanned', async () => {
  const server = await node({});
  const { receiver: person, transfer, bytes } = await transferred(server);
  const { url } = await person.accept(transfer);
  const tools = mkdtempSync(joinPath(folder, 'tools-'));
  const scan = fileURLToPath(new URL('examples/scan.sh', import.meta.url));
  const run = async (data, status) => {
    script(joinPath(tools, 'clamdscan'), `cp "$2" ${tools}/scanned\nexit ${status}`);
    const env = { ...process.env, PATH: `${tools}:${process.env.PATH}`, TMPDIR: tools };
    const child = spawn(scan, [server.url], { env, stdio: ['pipe', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (words += text));
    child.stdin.end(JSON.stringify({ type: 'stored', data }));
    const code = await within(new Promise((resolve) => child.once('close', resolve)), 'the end of scan.sh');
    assert.deepEqual(readdirSync(tools).filter((name) => name.startsWith('tmp.')), []);
    return { code, words };
  };
  const data = { room: 'otter', transfer, url };
  assert.deepEqual(await run(data, 0), { code: 0, words: '' });
  assert.equal(sha256(readFileSync(joinPath(tools, 'scanned'))), sha256(bytes));
  assert.deepEqual(await run(data, 1), { code: 0, words: `a virus in room otter, transfer ${transfer}\n` });
  assert.equal((await run(data, 2)).code, 75);
  assert.equal((await run({ ...data, url: `${url}0` }, 0)).code, 75, 'what cannot be had is not clean');
});

test('a kept file that is whole is told, and whoever may read it can, after its sender has left too', async () => {
  const program = fileURLToPath(new URL('examples/scan.sh', import.meta.url));
  const tools = mkdtempSync(joinPath(folder, 'tools-'));
  script(joinPath(tools, 'clamdscan'), `cp "$2" ${tools}/scanned.part\nmv ${tools}/scanned.part ${tools}/scanned\nexit 1`);
  const receiver = await startReceiver();
  open.push({ stop: () => receiver.close() });
  const { port } = await startReceiver().then(async (free) => {
    const { port } = free;
    await free.close();
    return { port };
  });
  const wrapper = script(joinPath(tools, 'scan'), `PATH=${tools}:$PATH exec ${program} http://127.0.0.1:${port}`);
  const settings = {
    STORE__URL: `file:${joinPath(tools, 'data')}`,
    ...posted(receiver, { on: ['stored', 'complete'] }),
    ...hook(1, { on: ['stored'], command: [wrapper], content: true, timeout: '30s' }),
  };
  const server = await startNode(settings, { listen: `127.0.0.1:${port}` });
  open.push(server);
  const sender = await join(server.url, newRoom(), { name: 'Ada' });
  const bytes = randomFile(700_000);
  const { transfers, drop } = await sender.offer([{ name: 'film.mp4', size: bytes.length }], { keep: true });
  const [{ transfer }] = transfers;
  await new Source(sender.transfers).serve(transfers[0], bytes, { ready: bytes.length });
  const stored = await receiver.next('the event', ({ type }) => type === 'stored');
  sender.vanish();
  assert.equal(stored.id, `stored_${transfer}`);
  assert.deepEqual([stored.data.drop, stored.data.size, stored.data.url], [drop, bytes.length, undefined]);
  assert.match(stored.data.digest, /^blake3:/);
  await until('it was scanned', () => said(joinPath(tools, 'scanned')));
  assert.equal(sha256(readFileSync(joinPath(tools, 'scanned'))), sha256(bytes));
  const watcher = await join(server.url, sender.room);
  assert.equal(watcher.joined.drops[0].transfers[0].state, 'offered', 'a scanner is no receiver');
  const told = sender.statuses.filter(({ data }) => data.transfer === transfer);
  assert.deepEqual(told.flatMap(({ data }) => data.receivers), []);
  assert.ok(!receiver.requests.some(({ type }) => type === 'complete'));
  await until('the virus is told of', () => server.log.includes(`a virus in room ${sender.room}, transfer ${transfer}`));
});

/** A node, ended with this file. */
async function node(settings) {
  const server = await startNode(settings);
  open.push(server);
  return server;
}

/** A receiver that answers as `answer` says, and a node with a hook that tells it. */
async function told(keys, answer, settings = {}) {
  const receiver = await startReceiver(answer);
  open.push({ stop: () => receiver.close() });
  return { receiver, server: await node({ ...posted(receiver, keys), ...settings }) };
}

/** A drop that somebody offers. */
async function offered(server) {
  const sender = await join(server.url, newRoom());
  return { sender, ...(await sender.offer([{ name: 'film.mp4', size: 5 }])) };
}

/** A file on its way to a receiver; `done()` once it has arrived. */
async function transferred(server) {
  const room = newRoom();
  const [sender, receiver] = [await join(server.url, room, { name: 'Ada' }), await join(server.url, room)];
  const bytes = randomFile(300_000);
  const { drop, transfer } = await sender.send(bytes, { name: 'film.mp4', type: 'video/mp4' });
  const done = async () => finish(await receiver.receive(transfer), bytes);
  return { room, sender, receiver, bytes, drop, transfer, done };
}

/** Whether a process is there, and no zombie. */
const isRunning = (pid) => /\) [^Z]/.test(said(`/proc/${pid}/stat`));
