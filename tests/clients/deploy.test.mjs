// The files in config/ for those who run roomdrop: the programs they are written for take them, what they name
// is there, and what they say fits the server's own defaults.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { BALANCERS, settled } from './harness/cluster-balancer.mjs';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path) => readFileSync(join(ROOT, path), 'utf8');
const NODES = ['one', 'two', 'three'].map((name, index) => ({ name, port: 29_001 + index }));

const DEFAULTS = defaults(read('config/default.toml'));
const QUIET = seconds('socketio.ping_interval') + seconds('socketio.ping_timeout');
const DRAIN = seconds('server.drain_timeout');
const GIB = 1024;
const compose = parse(read('config/compose.yaml'), { merge: true });
const kubernetes = parseAllDocuments(read('config/kubernetes.yaml')).map((document) => {
  assert.deepEqual([...document.errors, ...document.warnings], []);
  return document.toJS();
});

for (const file of BALANCERS) {
  test(`${file} is taken by its program`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'roomdrop-deploy-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, file);
    writeFileSync(path, settled(file, { port: 29_000, nodes: NODES, folder }));
    const [program, ...args] = file.startsWith('nginx') ? ['nginx', '-e', 'stderr', '-t', '-c'] : ['haproxy', '-c', '-f'];
    const { stdout, stderr } = await run(program, [...args, path]);
    assert.doesNotMatch(stdout + stderr, /\[(warn|WARNING|ALERT)/);
  });
}

test('what routes by name is what routes by turn, and more', () => {
  for (const [plain, byNode] of [
    ['nginx.conf', 'nginx-by-node.conf'],
    ['haproxy.cfg', 'haproxy-by-node.cfg'],
  ]) {
    const lines = (file) => read(`config/${file}`).split('\n').slice(6);
    const there = lines(byNode).map((line) => line.replace('$destination;', 'nodes;'));
    for (const line of lines(plain)) assert.ok(there.includes(line), `${byNode} lacks: ${line}`);
  }
});

test('every key that is named exists', () => {
  const files = readdirSync(join(ROOT, 'config')).filter((file) => file !== 'default.toml');
  let found = 0;
  for (const path of [...files.map((file) => `config/${file}`), 'README.md', '.ci/cluster', 'Makefile']) {
    const text = read(path);
    const sections = [...new Set([...DEFAULTS.keys()].map((key) => key.split('.')[0]))].join('|');
    // A word with a dot is a key, unless it is a file's name, or in somebody's program.
    const keys = [...text.replace(/```(js|python|ts)[^]*?```/g, '').matchAll(new RegExp(`(?<![\\w./-])(?:${sections})\\.[a-z][a-z_]+(?![\\w./])`, 'g'))]
      .map(([key]) => key)
      .filter((key) => !/\.(conf|cfg|rs|toml|service|txt)$/.test(key));
    const variables = [...text.matchAll(/ROOMDROP_([A-Z]+)__([A-Z_]+)/g)];
    keys.push(...variables.map(([, section, key]) => `${section}.${key}`.toLowerCase()));
    found += keys.length;
    for (const key of keys) assert.ok(DEFAULTS.has(key), `${path} names ${key}`);
  }
  assert.ok(found > 40, `only ${found} were found`);
});

test('balancers wait longer than a link may be quiet, and take what a client may send', () => {
  for (const file of BALANCERS.filter((name) => name.startsWith('nginx'))) {
    const text = read(`config/${file}`);
    for (const [, unit] of text.matchAll(/proxy_(?:read|send)_timeout (\w+);/g)) {
      assert.ok(duration(unit) > QUIET, `${file}: ${unit}`);
    }
    const [, body] = /client_max_body_size (\d+)m;/.exec(text);
    assert.ok(Number(body) > mebibytes('socketio.max_payload'));
  }
  for (const file of BALANCERS.filter((name) => name.startsWith('haproxy'))) {
    const text = read(`config/${file}`);
    for (const kind of ['server', 'tunnel', 'client']) {
      const [, value] = new RegExp(`timeout ${kind} (\\w+)`).exec(text);
      assert.ok(duration(value) > QUIET, `${file}: ${kind}`);
    }
  }
});

test('a node is given longer to end than it takes, and more memory than its budget', () => {
  const unit = read('config/roomdrop.service');
  assert.ok(duration(/TimeoutStopSec=(\w+)/.exec(unit)[1]) > DRAIN);
  assert.ok(/MemoryMax=1G/.test(unit) && mebibytes('memory.budget') < GIB);
  for (const name of ['node-a', 'node-b', 'node-c']) {
    const service = compose.services[name];
    assert.ok(duration(service.stop_grace_period) > DRAIN);
    assert.equal(service.mem_limit, '1g');
  }
  const { spec } = kubernetes.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'roomdrop').spec.template;
  const [container] = spec.containers;
  assert.ok(spec.terminationGracePeriodSeconds > DRAIN + container.lifecycle.preStop.sleep.seconds);
  assert.equal(container.resources.limits.memory, '1Gi');
});

test('compose.yaml: names, addresses and files are those that are meant', () => {
  const { nginx, redis, ...nodes } = compose.services;
  const hosts = Object.fromEntries(nginx.extra_hosts.map((host) => host.split(':')));
  assert.deepEqual(Object.keys(nodes), Object.keys(hosts));
  for (const [name, { environment, networks }] of Object.entries(nodes)) {
    assert.equal(environment.ROOMDROP_SERVER__NODE, name);
    assert.equal(environment.ROOMDROP_SERVER__PEER_URL, `http://${name}:3000`);
    assert.equal(environment.ROOMDROP_REDIS__URL, 'redis://redis:6379');
    assert.equal(networks.inside.ipv4_address, hosts[name]);
    assert.ok(networks.inside.ipv4_address.startsWith(compose.networks.inside.ipam.config[0].subnet.replace(/0\/24$/, '')));
  }
  for (const volume of [...nginx.volumes, ...redis.volumes]) {
    const [from] = volume.split(':');
    assert.ok(existsSync(join(ROOT, 'config', from)), from);
  }
  for (const file of BALANCERS) {
    const named = new Set(read(`config/${file}`).match(/node-\w:3000/g));
    assert.deepEqual([...named].sort(), Object.keys(hosts).map((name) => `${name}:3000`), file);
  }
});

test('kubernetes.yaml: what selects finds, probes ask what the server answers, Redis is told what redis.conf says', () => {
  const of = (kind, name) => kubernetes.find((it) => it.kind === kind && it.metadata.name === name).spec;
  for (const name of ['roomdrop', 'redis']) {
    const { labels } = of('Deployment', name).template.metadata;
    assert.deepEqual(of('Deployment', name).selector.matchLabels, labels);
    assert.deepEqual(of('Service', name).selector, labels);
    assert.deepEqual(of('NetworkPolicy', name).podSelector.matchLabels, labels);
  }
  const [container] = of('Deployment', 'roomdrop').template.spec.containers;
  assert.equal(container.livenessProbe.httpGet.path, '/healthz');
  assert.equal(container.readinessProbe.httpGet.path, '/readyz');
  // A pod's name is the Deployment's, a hash of ten and five more.
  assert.ok('roomdrop'.length + 11 + 6 <= 32);
  assert.equal(of('Ingress', 'roomdrop').rules[0].http.paths[0].backend.service.name, 'roomdrop');
  const conf = read('config/redis.conf').split('\n');
  const [{ args }] = of('Deployment', 'redis').template.spec.containers;
  for (const arg of args.slice(1).filter((arg) => !arg.includes('protected-mode'))) {
    assert.ok(conf.includes(arg.replace(/^--/, '')), arg);
  }
});

test('Dockerfile: what it copies is there and not left out', () => {
  const ignored = read('.dockerignore').split('\n');
  const copied = [...read('config/Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) => paths.split(' '));
  assert.ok(copied.length > 5);
  for (const path of copied) {
    assert.ok(existsSync(join(ROOT, path)), path);
    const kept = ignored.some((line) => line.startsWith('!') && (path === line.slice(1) || path.startsWith(`${line.slice(1)}/`)));
    assert.ok(kept && !ignored.includes(path), `${path} is left out by .dockerignore`);
  }
});

test('roomdrop.service is one that systemd takes', async (t) => {
  const there = await run('systemd-analyze', ['--version']).catch(() => null);
  if (!there) return t.diagnostic('not looked at: there is no systemd-analyze here');
  const folder = mkdtempSync(join(tmpdir(), 'roomdrop-deploy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'roomdrop.service');
  writeFileSync(path, read('config/roomdrop.service').replace('/usr/local/bin/roomdrop', '/bin/true'));
  const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', path]);
  assert.equal(stdout + stderr, '');
});

function defaults(text) {
  const keys = new Map();
  let section;
  for (const line of text.split('\n')) {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
    const [, key, value] = /^(\w+) = (.+)$/.exec(line) ?? [];
    if (section && key) keys.set(`${section}.${key}`, value.replaceAll('"', ''));
  }
  return keys;
}

function duration(text) {
  const [, number, unit] = /^(\d+)(s|m|h)$/.exec(text);
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit];
}

function seconds(key) {
  return duration(DEFAULTS.get(key));
}

function mebibytes(key) {
  return Number(/^(\d+)MiB$/.exec(DEFAULTS.get(key))[1]);
}
