// The examples of the README, as they stand there, each as a program of its own: every sender with every
// receiver, and over a network that breaks.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { newRoom } from './harness/people.mjs';
import { startProxy } from './harness/proxy.mjs';
import { pythonWithSocketio } from './harness/python.mjs';
import { startServer } from './harness/server.mjs';
import { until, within } from './harness/wait.mjs';

const SENDERS = ['send.mjs', 'send.py'];
const RECEIVERS = ['receive.mjs', 'receive.py'];

let server;
let folder;
const programs = [];
before(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), 'roomdrop-examples-'));
});
after(async () => {
  for (const program of programs) program.kill();
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

for (const sender of SENDERS) {
  for (const receiver of RECEIVERS) {
    test(`${sender} and ${receiver} bring a file into a folder`, async () => {
      const { room, name, bytes, path, target } = files(5 * MIB + 1);
      const receiving = start(receiver, server.url, room, target);
      const sending = start(sender, server.url, room, path);
      for (const program of [sending, receiving]) await program.succeeded();
      assert.equal(sha256(readFileSync(join(target, name))), sha256(bytes));
    });
  }

  test(`${sender} comes first, and an empty file arrives too`, async () => {
    const { room, name, path, target } = files(0);
    const sending = start(sender, server.url, room, path);
    const receiving = start(RECEIVERS[SENDERS.indexOf(sender)], server.url, room, target);
    for (const program of [sending, receiving]) await program.succeeded();
    assert.equal(readFileSync(join(target, name)).length, 0);
  });
}

for (const [sender, receiver] of [
  ['send.mjs', 'receive.mjs'],
  ['send.py', 'receive.py'],
]) {
  test(`${sender} and ${receiver} go on after their links are cut`, async () => {
    const { room, name, bytes, path, target } = files(24 * MIB + 1);
    const networks = [await startProxy(server.port), await startProxy(server.port)];
    try {
      const receiving = start(receiver, networks[0].url, room, target);
      const sending = start(sender, networks[1].url, room, path);
      for (const [step, network] of networks.entries()) {
        const part = ((step + 1) * bytes.length) / 4;
        await until(
          `${part} bytes are on their way`,
          () => networks[0].down > part,
          () => sending.said + receiving.said,
        );
        network.cut();
      }
      for (const program of [sending, receiving]) await program.succeeded();
      assert.equal(sha256(readFileSync(join(target, name))), sha256(bytes));
    } finally {
      for (const network of networks) network.close();
    }
  });
}

test('upload.mjs goes on after its link is cut, and its file is there for whoever comes then', async () => {
  const { room, name, bytes, path, target } = files(24 * MIB + 1);
  const network = await startProxy(server.port);
  try {
    const sending = start('upload.mjs', network.url, room, path);
    await until('some of it is on its way', () => network.up > 4 * MIB, () => sending.said);
    network.cut();
    await sending.succeeded();
    await start('receive.mjs', server.url, room, target).succeeded();
    assert.equal(sha256(readFileSync(join(target, name))), sha256(bytes));
  } finally {
    network.close();
  }
});

test('curl.sh sends and receives with nothing but curl', async () => {
  const { room, target } = files(0);
  const program = startIn(target, 'curl.sh', `${server.url}/rooms/${room}`);
  await program.succeeded();
  for (const path of ['letter.txt', 'there/letter.txt']) {
    assert.equal(readFileSync(join(target, path), 'utf8'), 'Dear Ada\n', path);
  }
  assert.equal(program.said.match(/"code":200/g).length, 2);
});

test('upload.sh uploads what is still needed, once', async () => {
  for (const size of [11 * MIB + 1, 0]) {
    const { bytes, path } = files(size);
    const { url } = server;
    const run = async () => {
      const program = start('upload.sh', url, path);
      await program.succeeded();
      return program.said.trim();
    };
    const address = await run();
    assert.match(address, /^http:.*\.bin$/);
    assert.equal(await run(), address);
    const answer = await fetch(address);
    assert.equal(sha256(Buffer.from(await answer.arrayBuffer())), sha256(bytes));
  }
});

test('the examples are short enough to be read', () => {
  for (const name of [...SENDERS, ...RECEIVERS]) {
    const lines = readFileSync(example(name), 'utf8').match(/^.+$/gm);
    assert.ok(lines.length <= 55, `${name} has ${lines.length} lines`);
  }
});

/** A room, a file to send, and an empty folder to receive into. */
function files(size) {
  const room = newRoom();
  const name = 'Grüße "aus" Köln.bin';
  const bytes = randomFile(size);
  const [from, target] = [join(folder, room, 'from'), join(folder, room, 'to')];
  for (const path of [from, target]) mkdirSync(path, { recursive: true });
  writeFileSync(join(from, name), bytes);
  return { room, name, bytes, path: join(from, name), target };
}

/** Starts an example by its name. */
const start = (name, ...args) => startIn(folder, name, ...args);

/** Starts an example by its name, in a folder. */
function startIn(cwd, name, ...args) {
  const runners = { py: pythonWithSocketio, sh: () => 'sh', mjs: () => process.execPath };
  const program = runners[name.split('.').at(-1)]();
  const child = spawn(program, [example(name), ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
  const started = {
    said: '',
    kill: () => child.kill('SIGKILL'),
    async succeeded() {
      const code = await within(ended, () => `the end of ${name}; it said:\n${started.said}`);
      assert.equal(code, 0, `${name} failed:\n${started.said}`);
    },
  };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (started.said += text));
  programs.push(started);
  return started;
}

const example = (name) => fileURLToPath(new URL(`examples/${name}`, import.meta.url));
