// `make cluster` as one types it: it names an address, carries a transfer over the end of each of its parts, and
// leaves nothing behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import net from 'node:net';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MIB, randomFile } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { arrives, enter } from './harness/cluster-people.mjs';
import { newRoom } from './harness/people.mjs';
import { program } from './harness/server.mjs';
import { until, within } from './harness/wait.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PARTS = ['node-a', 'node-b', 'node-c', 'redis', 'nginx'];

after(closeAll);

test('it carries a transfer over the end of each part, and Ctrl-C ends all of it', { timeout: 180_000 }, async (t) => {
  const cluster = makeCluster(t, '127.0.0.1:0');
  const url = await cluster.says(/open (http:\S+[^/\s])/);
  const folder = await cluster.says(/logs +(\S+)/);
  const room = newRoom();
  const sender = await enter([url], room, { name: 'sender' });
  const receiver = await enter([url], room, { name: 'receiver', transports: ['polling'] });
  const bytes = randomFile(12 * MIB + 3);
  const { transfer, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: 1000 });
  await sink.reaches(1000);
  for (const [step, part] of PARTS.entries()) {
    cluster.kill(part);
    await cluster.says(new RegExp(`${part} was killed by signal 9; started again as process (\\d+)`));
    const next = (step + 1) * 2 * MIB;
    sink.go(next);
    await sink.reaches(next);
  }
  sink.go();
  await arrives(sink, bytes);
  for (const person of [sender, receiver]) assert.deepEqual(person.faults, []);
  assert.deepEqual(source.faults, []);
  closeAll();

  const pids = cluster.pids();
  assert.equal(pids.length, 2 * PARTS.length);
  cluster.interrupt();
  await cluster.ended;
  assert.match(cluster.said, /roomdrop cluster: stopped\n/);
  await until('no process is left', () => !pids.some(isAlive));
  assert.equal(existsSync(folder), false, folder);
});

test('it says that its port is taken, and leaves nothing behind', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const cluster = makeCluster(t, `127.0.0.1:${taken.address().port}`);
  assert.notEqual(await cluster.ended, 0);
  assert.match(cluster.said, /port \d+ already/);
  assert.deepEqual(cluster.pids(), []);
});

test('it says which part does not start, and ends', async (t) => {
  const cluster = makeCluster(t, '127.0.0.1:0', ['ARGS=--nonsense']);
  assert.notEqual(await cluster.ended, 0);
  assert.match(cluster.said, /node-a ended before it was ready[^]*--nonsense/);
  const [, folder] = /the logs are in (\S+)/.exec(cluster.said);
  assert.ok(existsSync(folder), 'the logs are kept');
  rmSync(folder, { recursive: true });
});

function makeCluster(t, listen, more = []) {
  // In a process group of its own, as a terminal has it: Ctrl-C is a signal to all of the group.
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, ...env } = process.env;
  const args = ['--old-file=release', 'cluster', `BIN=${program()}`, `LISTEN=${listen}`, ...more];
  const child = spawn('make', args, { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const cluster = {
    said: '',
    ended: new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code))),
    interrupt: () => process.kill(-child.pid, 'SIGINT'),
    pids: () => [...cluster.said.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid)),
    kill(part) {
      const pids = [...cluster.said.matchAll(new RegExp(`${part}\\b.* process (\\d+)`, 'g'))];
      process.kill(Number(pids.at(-1)[1]), 'SIGKILL');
    },
    says: (pattern) => until(`it says ${pattern}`, () => pattern.exec(cluster.said)?.[1], () => cluster.said),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (cluster.said += text));
  }
  cluster.ended = within(cluster.ended, () => `the end of make; it said:\n${cluster.said}`, 170_000);
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) cluster.interrupt();
    return cluster.ended;
  });
  return cluster;
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}
