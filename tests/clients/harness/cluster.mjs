// Many nodes as they really run: a redis-server and so many roomdrop processes, each on a port of its own,
// any of which a test may kill, restart, or cut off from Redis. It knows nothing of what they do.

import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './cluster-ports.mjs';
import { startRedis } from './cluster-redis.mjs';
import { curl } from './curl.mjs';
import { startProxy } from './proxy.mjs';
import { startNode } from './server.mjs';
import { until } from './wait.mjs';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

/**
 * Starts Redis and so many `nodes`. With `cuttable`, each node reaches Redis by a network of its own
 * (`node.redisLink`), which can hold and cut.
 */
export async function startCluster({ nodes = 2, settings = {}, cuttable = false } = {}) {
  const redis = await startRedis();
  const cluster = new Cluster(redis);
  try {
    for (const name of NAMES.slice(0, nodes)) cluster.nodes.push(await makeNode(name, redis, settings, cuttable));
    await Promise.all(cluster.nodes.map((node) => node.start()));
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

async function makeNode(name, redis, settings, cuttable) {
  const redisLink = cuttable ? await startProxy(redis.port) : null;
  return new ClusterNode(name, await freePort(), redisLink, {
    ...settings,
    REDIS__URL: `redis://127.0.0.1:${redisLink?.port ?? redis.port}`,
  });
}

class Cluster {
  nodes = [];
  #turn = 0;

  constructor(redis) {
    this.redis = redis;
  }

  /** The addresses of all nodes, that of `first` first: to whom a client turns, and then to whom. */
  urls(first = 0) {
    return this.nodes.map((_, index) => this.nodes[(first + index) % this.nodes.length].url);
  }

  /** Once every node says that it is ready. */
  async ready() {
    await Promise.all(this.nodes.map((node) => node.ready()));
  }

  /** Ends everything. */
  async stop() {
    const ended = await Promise.allSettled(this.nodes.map((node) => node.stop()));
    await this.redis.stop();
    for (const { reason } of ended) if (reason) throw reason;
  }

  /** What a test of a single server sees: an address, which is another node's each time it is asked for. */
  asOneServer() {
    const { nodes } = this;
    const next = () => nodes[(this.#turn += 1) % nodes.length];
    return {
      urls: this.urls(),
      get url() {
        return next().url;
      },
      get port() {
        return next().port;
      },
      get log() {
        return nodes.map((node) => node.server.log).join('');
      },
      get pid() {
        return nodes[0].server.pid;
      },
      stop: () => this.stop(),
    };
  }
}

class ClusterNode {
  /** Whether nobody has ended it. */
  isAlive = false;
  #settings;

  constructor(name, port, redisLink, settings) {
    this.name = name;
    this.port = port;
    this.redisLink = redisLink;
    this.url = `http://127.0.0.1:${port}`;
    this.#settings = { SERVER__PEER_URL: this.url, ...settings, SERVER__NODE: name };
  }

  /** Starts it, as it was; once it is ready. */
  async start() {
    await this.startAgain();
    await this.ready();
  }

  /** Starts it, as it was; once it listens, be Redis there or not. */
  async startAgain() {
    await this.server?.stop(); // What an earlier run of it has left.
    this.server = await startNode(this.#settings, { listen: `127.0.0.1:${this.port}` });
    this.isAlive = true;
  }

  /** Once it takes new connections. */
  ready() {
    return until(`node ${this.name} is ready`, async () => (await this.readiness()) === 200, () => this.server.log);
  }

  /** The status of `/readyz`; 0 without an answer. */
  async readiness() {
    return (await curl(`${this.url}/readyz`).catch(() => ({ status: 0 }))).status;
  }

  /** kill -9. */
  kill() {
    this.isAlive = false;
    return this.server.kill();
  }

  /** SIGTERM; `{code, ms}`. */
  terminate(ms) {
    this.isAlive = false;
    return this.server.terminate(ms);
  }

  async stop() {
    // Redis may be away by now, and then a node cannot say good-bye.
    this.redisLink?.pass();
    await this.server?.stop();
    this.redisLink?.close();
  }
}

/** The length of a fault. Not for waiting until something is done: that is a condition. */
export const lasting = (ms) => delay(ms);
