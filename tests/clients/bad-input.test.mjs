// Every field of every event, wrong in every way: each gets its documented answer, the link stays up, what
// others do goes on, and nothing secret comes into the log.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { CLIENTS, closeAll, connect, NESTED } from './harness/clients.mjs';
import { ok, refused } from './harness/envelope.mjs';
import { faultsOf, NOT_AN_OBJECT } from './harness/faults.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

const UNKNOWN = '0123456789abcdef0123456789abcdef';

// Every event: its argument when it is right (filled in before the tests run), and the kind of each field.
const EVENTS = {
  '/rooms': {
    'room:join': { room: 'room', name: 'name?', key: 'id?', passphrase: 'passphrase?' },
    'room:leave': { room: 'room' },
    'room:message': { room: 'room', text: 'text' },
    'drop:offer': { room: 'room', files: 'files', to: 'tokens?', keep: 'boolean?', note: 'note?' },
    'transfer:accept': { transfer: 'id' },
    'transfer:reject': { transfer: 'id', reason: 'note?' },
    'transfer:pause': { transfer: 'id' },
    'transfer:resume': { transfer: 'id' },
    'transfer:cancel': { transfer: 'id' },
  },
  '/transfers': {
    'source:open': { token: 'id' },
    'sink:open': { token: 'id', lane: 'integer?', from: 'integer?', limit: 'integer?' },
    pull: { transfer: 'id', lane: 'integer', from: 'integer', limit: 'integer' },
    chunk: { transfer: 'id', lane: 'integer', offset: 'integer', digest: 'digest?' },
    'source:end': { transfer: 'id', size: 'integer?', digest: 'digest?' },
    'source:fail': { transfer: 'id', reason: 'note' },
    'sink:done': { transfer: 'id', digest: 'digest?' },
  },
};
const FILE = {
  name: 'fileName',
  path: 'path?',
  size: 'integer or null',
  type: 'mediaType?',
  modified: 'integer?',
};

describe('bad input', () => {
  let server;
  let room;
  let sender;
  let receiver;
  let sent;
  let accepted;
  const bytes = randomFile(300 * KIB);
  const secrets = [];

  before(async () => {
    server = await startServer({ LOG__LEVEL: 'debug' });
    room = newRoom();
    const passphrase = 'the passphrase of this room';
    sender = await join(server.url, room, { name: 'sender of bad input', passphrase });
    receiver = await join(server.url, room, { name: 'receiver of bad input', passphrase });
    sent = await sender.send(bytes, { name: 'a file of the sender.bin' });
    accepted = await receiver.accept(sent.transfer);
    ok(await receiver.transfers.ask('sink:open', { token: accepted.token }));
    secrets.push(
      passphrase,
      'a file of the sender',
      'bad input',
      sender.key,
      receiver.key,
      sent.token,
      accepted.token,
    );
  });
  after(async () => {
    closeAll();
    await server?.stop();
  });

  for (const events of Object.values(EVENTS)) {
    for (const [event, kinds] of Object.entries(events)) {
      test(`${event} with any field wrong is a bad request, and the link stays up`, async () => {
        const { wire, arg, more } = rightly(event);
        for (const [what, wrong] of faultsOf(arg, kinds)) {
          const error =
            what.endsWith('too long') && event === 'room:message'
              ? ['bad_request', 'too_large']
              : ['bad_request'];
          await told(what, async () => refused(await wire.ask(event, wrong, ...more), ...error));
        }
        await assertUp(wire);
      });

      test(`${event} without an object is a bad request, and the link stays up`, async () => {
        const { wire, more } = rightly(event);
        for (const [what, args] of Object.entries(NOT_AN_OBJECT)) {
          await told(what, async () => refused(await wire.ask(event, ...args, ...more), 'bad_request'));
        }
        await assertUp(wire);
      });

      test(`${event} that fails without a callback is a problem with the event's name`, async () => {
        const { wire, more } = rightly(event);
        wire.tell(event, { nonsense: 1 }, ...more);
        const problem = await wire.inbox.next('problem', ({ data }) => data.event === event);
        refused(problem, 'bad_request');
        await assertUp(wire);
      });
    }
  }

  test('every field of an offered file is held to its rule', async () => {
    const good = { name: 'a.txt', path: 'b/c', size: 5, type: 'text/plain', modified: 1 };
    for (const [what, file] of faultsOf(good, FILE)) {
      await told(what, async () => {
        refused(await sender.rooms.ask('drop:offer', { room, files: [good, file] }), 'bad_request');
      });
    }
    const { id } = ok(await sender.rooms.ask('room:message', { room, text: 'after all that' }));
    await receiver.rooms.inbox.next('room:message', (message) => message.id === id);
    assert.equal(receiver.rooms.inbox.all('drop:offered').length, 1, 'a refused offer was shown');
  });

  test('names with quotes and of any Unicode pass as they are', async () => {
    const names = [
      `it's "quoted".txt`,
      'Grüße aus Köln.txt',
      '文件 🦦.pdf',
      '\u202Egpj.exe',
      'a%2F..%2Fb',
      '-rf',
      ' spaces ',
      'e\u0301',
      '…',
      '.hidden',
      '<img src=x onerror=alert(1)>',
      'é'.repeat(127),
      'a'.repeat(255),
      'CON',
      '__proto__',
    ];
    const { drop, transfers } = await sender.offer(names.map((name) => ({ name, size: 1 })));
    assert.deepEqual(
      transfers.map(({ name }) => name),
      names,
    );
    const offer = await receiver.offered(drop);
    assert.deepEqual(
      offer.transfers.map(({ name }) => name),
      names,
    );
    secrets.push(...names.filter((name) => name.length > 4));
  });

  test('unknown ids and tokens are named as not found', async () => {
    const elsewhere = newRoom();
    const { rooms, transfers } = sender;
    refused(await rooms.ask('room:leave', { room: elsewhere }), 'room_not_found');
    refused(await rooms.ask('room:message', { room: elsewhere, text: 'a' }), 'room_not_found');
    refused(
      await rooms.ask('drop:offer', { room: elsewhere, files: [{ name: 'a', size: 1 }] }),
      'room_not_found',
    );
    for (const event of ['accept', 'reject', 'pause', 'resume', 'cancel']) {
      refused(await rooms.ask(`transfer:${event}`, { transfer: UNKNOWN }), 'transfer_not_found');
    }
    for (const event of ['accept', 'reject']) {
      refused(await rooms.ask(`transfer:${event}`, { drop: UNKNOWN }), 'drop_not_found');
    }
    for (const event of ['source:open', 'sink:open']) {
      for (const token of [UNKNOWN, 'short', 'ü'.repeat(32), `${sent.token.slice(0, -1)}x`]) {
        refused(await transfers.ask(event, { token }), 'transfer_not_found');
      }
    }
    for (const [event, ...args] of words(UNKNOWN)) {
      refused(await transfers.ask(event, ...args), 'not_allowed', 'transfer_not_found');
    }
  });

  test('an open or a pick names exactly one thing', async () => {
    const { transfer, drop, token } = sent;
    for (const event of ['transfer:accept', 'transfer:reject']) {
      refused(await receiver.rooms.ask(event, { transfer, drop }), 'bad_request');
      refused(await receiver.rooms.ask(event, {}), 'bad_request');
    }
    for (const event of ['source:open', 'sink:open']) {
      refused(await sender.transfers.ask(event, { token, tokens: [token] }), 'bad_request');
      refused(await sender.transfers.ask(event, {}), 'bad_request');
      for (const tokens of [
        'text',
        7,
        {},
        [7],
        [null],
        [''],
        ['a'.repeat(65)],
        NESTED,
        Array(10_001).fill('a'),
      ]) {
        await told(JSON.stringify(tokens).slice(0, 40), async () => {
          refused(await sender.transfers.ask(event, { tokens }), 'bad_request');
        });
      }
    }
  });

  test('a token in the wrong role is not allowed', async () => {
    refused(await sender.transfers.ask('sink:open', { token: sent.token }), 'not_allowed');
    refused(await receiver.transfers.ask('source:open', { token: accepted.token }), 'not_allowed');
  });

  test("a stranger's words about a transfer of others are not allowed", async () => {
    const stranger = await join(server.url, newRoom());
    const nobody = await connect(server.url);
    const { transfer, drop } = sent;
    // To who is not in the room it does not exist.
    for (const { rooms } of [stranger, nobody]) {
      for (const event of ['accept', 'reject', 'pause', 'resume', 'cancel']) {
        refused(await rooms.ask(`transfer:${event}`, { transfer }), 'transfer_not_found');
      }
      for (const event of ['accept', 'reject']) {
        refused(await rooms.ask(`transfer:${event}`, { drop }), 'drop_not_found');
      }
    }
    for (const { transfers } of [stranger, nobody]) {
      for (const [event, ...args] of words(transfer)) {
        await told(event, async () => refused(await transfers.ask(event, ...args), 'not_allowed'));
      }
    }
    // Neither may the sender speak as a sink, nor a receiver as the source.
    for (const [event, ...args] of words(transfer)) {
      const wire = ['pull', 'sink:done'].includes(event) ? sender.transfers : receiver.transfers;
      await told(event, async () => refused(await wire.ask(event, ...args), 'not_allowed'));
    }
    const status = sender.statuses.at(-1).data;
    assert.ok(['offered', 'active', 'suspended'].includes(status.state), status.state);
  });

  test('a member that has not accepted may not steer the transfer', async () => {
    const idle = await join(server.url, room, { passphrase: 'the passphrase of this room' });
    for (const event of ['pause', 'resume', 'cancel']) {
      refused(await idle.rooms.ask(`transfer:${event}`, { transfer: sent.transfer }), 'not_allowed');
    }
  });

  test('an offer to somebody who is not there, or of nothing, is refused', async () => {
    const files = [{ name: 'a', size: 1 }];
    refused(
      await sender.rooms.ask('drop:offer', { room, files, to: [UNKNOWN] }),
      'bad_request',
      'not_allowed',
    );
    refused(await sender.rooms.ask('drop:offer', { room, files: [] }), 'bad_request');
  });

  test('a key of somebody else does not open a room that has a passphrase', async () => {
    const { rooms } = await connect(server.url);
    refused(await rooms.ask('room:join', { room, key: UNKNOWN }), 'not_allowed');
    refused(await rooms.ask('room:join', { room, key: sent.token }), 'not_allowed');
  });

  for (const name of Object.keys(CLIENTS)) {
    test(`bad input is answered alike over ${name}`, async () => {
      const { rooms, transfers } = await connect(server.url, CLIENTS[name]);
      for (const words of [null, 'text', 7, [], {}, { room: 'a b' }, { room: 'a'.repeat(100_000) }]) {
        refused(await rooms.ask('room:join', words), 'bad_request');
      }
      const head = { transfer: UNKNOWN, lane: 1, offset: 0 };
      refused(await transfers.ask('chunk', { ...head, lane: -1 }, Buffer.alloc(10)), 'bad_request');
      refused(await transfers.ask('chunk', Buffer.alloc(10), head), 'bad_request');
      refused(await transfers.ask('chunk', head, 'text'), 'bad_request');
      refused(
        await transfers.ask('chunk', head, Buffer.alloc(6 * MIB)),
        'too_large',
        'transfer_not_found',
        'not_allowed',
      );
      refused(await transfers.ask('pull', { ...head, from: 2 ** 60, limit: 1 }), 'bad_request');
      rooms.tell('room:message', Buffer.alloc(10));
      refused(await rooms.inbox.next('problem'), 'bad_request');
      assert.equal(rooms.drops + transfers.drops, 0, 'the link was cut');
    });
  }

  test('garbage below Socket.IO ends its own link at most', async () => {
    for (const garbage of [
      '',
      '2',
      '2/rooms',
      '2/rooms,',
      '2/rooms,[]',
      '2/rooms,7[]',
      '2/rooms,7["room:join"',
      '2/rooms,99999999999999999999["room:join",{}]',
      '2/no-such,["a"]',
      '2[]',
      '3/rooms,7[]',
      '4/rooms,{"message":"a"}',
      '5',
      '51-/rooms,7["room:join",{"_placeholder":true,"num":0}]',
      '51-/rooms,7["room:join",{"_placeholder":true,"num":9}]',
      '599999999-/rooms,["a"]',
      '9/rooms,["a"]',
      '0/rooms,{"deep":'.concat('['.repeat(5000), ']'.repeat(5000), '}'),
      '0/no-such-namespace,',
      `2/rooms,["${'a'.repeat(1_000_000)}"]`,
      '2/rooms,'.concat('['.repeat(100_000)),
      Buffer.from('binary without a head'),
      Buffer.alloc(0),
      '\u0000\ud800',
    ]) {
      const { rooms, manager } = await connect(server.url);
      manager.reconnection(false);
      manager.engine.write(garbage);
      rooms.tell('room:leave', { room: 'a' });
      rooms.socket.disconnect();
    }
    await assertUp(sender.rooms);
    await assertUp(receiver.transfers);
    const { id } = ok(await sender.rooms.ask('room:message', { room, text: 'after the garbage' }));
    await receiver.rooms.inbox.next('room:message', (message) => message.id === id);
  });

  test('events that nobody knows do no harm', async () => {
    const { rooms, transfers } = sender;
    for (const wire of [rooms, transfers]) {
      for (const event of ['no:such', '', '__proto__', 'room:joined', 'constructor', 'a'.repeat(10_000)]) {
        wire.tell(event, { room });
        wire.tell(event, Buffer.from('bytes'));
      }
      await assertUp(wire);
    }
  });

  test('after all of it the transfer still brings every byte', async () => {
    const again = await receiver.receive(sent.transfer, { lane: 1 });
    await finish(again, bytes);
    await sender.state(sent.transfer, 'complete');
    assert.equal(
      sender.rooms.drops + sender.transfers.drops + receiver.rooms.drops + receiver.transfers.drops,
      0,
    );
  });

  test('the log holds no secret, no name of a file and no word of anyone', () => {
    assert.ok(server.log.length > 0, 'there is a log at all');
    for (const secret of secrets) {
      const at = server.log.indexOf(secret);
      assert.equal(
        at,
        -1,
        `the log holds ${JSON.stringify(secret)}: …${server.log.slice(at - 100, at + 100)}…`,
      );
    }
  });

  function rightly(event) {
    const { transfer, token } = sent;
    const files = [{ name: 'a', size: 1 }];
    const asReceiver = { wire: receiver.rooms, arg: { transfer }, more: [] };
    const sourceWire = { wire: sender.transfers, more: [] };
    const sinkWire = { wire: receiver.transfers, more: [] };
    return {
      'room:join': { wire: sender.rooms, arg: { room: newRoom() }, more: [] },
      'room:leave': { wire: sender.rooms, arg: { room: newRoom() }, more: [] },
      'room:message': { wire: sender.rooms, arg: { room, text: 'a' }, more: [] },
      'drop:offer': { wire: sender.rooms, arg: { room, files }, more: [] },
      'transfer:accept': asReceiver,
      'transfer:reject': asReceiver,
      'transfer:pause': asReceiver,
      'transfer:resume': asReceiver,
      'transfer:cancel': asReceiver,
      'source:open': { ...sourceWire, arg: { token } },
      'sink:open': { ...sinkWire, arg: { token: accepted.token, lane: 1, from: 0, limit: 1 } },
      pull: { ...sinkWire, arg: { transfer, lane: 1, from: 0, limit: 1 } },
      chunk: { ...sourceWire, arg: { transfer, lane: 1, offset: 0 }, more: [Buffer.alloc(10)] },
      'source:end': { ...sourceWire, arg: { transfer } },
      'source:fail': { ...sourceWire, arg: { transfer, reason: 'a' } },
      'sink:done': { ...sinkWire, arg: { transfer } },
    }[event];
  }

  /** The link still answers as it should. */
  async function assertUp(wire) {
    assert.equal(wire.drops, 0, 'the link was cut');
    if (wire.name === '/rooms') refused(await wire.ask('room:leave', { room: newRoom() }), 'room_not_found');
    else refused(await wire.ask('sink:open', { token: UNKNOWN }), 'transfer_not_found');
  }
});

/** Everything that an opened source or sink may say about `transfer`. */
function words(transfer) {
  return [
    ['pull', { transfer, lane: 1, from: 0, limit: 1 }],
    ['chunk', { transfer, lane: 1, offset: 0 }, Buffer.alloc(10)],
    ['source:end', { transfer, digest: sha256('') }],
    ['source:fail', { transfer, reason: 'mischief' }],
    ['sink:done', { transfer }],
  ];
}

/** Names the row of the table in an error of `check`. */
async function told(row, check) {
  try {
    await check();
  } catch (error) {
    throw new Error(`${row}: ${error.message}`, { cause: error });
  }
}
