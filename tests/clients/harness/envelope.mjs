// What the answers must look like: the envelope of the protocol reference, its codes and names.

import assert from 'node:assert/strict';

/** `data` of an answer that must be a success (or, for chunks, in progress). */
export function ok(envelope, code = 200) {
  assert.equal(envelope?.code, code, `expected code ${code}: ${JSON.stringify(envelope)}`);
  assert.equal(typeof envelope.msg, 'string');
  assert.equal(typeof envelope.data, 'object');
  return envelope.data;
}

/** Checks that an answer is an error with one of the names. */
export function refused(envelope, ...errors) {
  const text = JSON.stringify(envelope)?.slice(0, 300);
  assert.equal(envelope?.code, -1, `expected ${errors.join(' or ')}: ${text}`);
  assert.ok(errors.includes(envelope.data?.error), `expected ${errors.join(' or ')}: ${text}`);
  assert.ok(typeof envelope.msg === 'string' && envelope.msg.length > 0, `no sentence for people: ${text}`);
  return envelope;
}

const CODES = {
  offered: 100,
  active: 100,
  paused: 101,
  suspended: 101,
  complete: 200,
  cancelled: -1,
  failed: -1,
};

const HELD = ['paused', 'suspended'];
const ENDED = ['cancelled', 'failed'];
const NEXT = {
  offered: ['active', ...HELD, ...ENDED],
  active: ['offered', 'complete', ...HELD, ...ENDED],
  paused: ['offered', 'active', 'complete', ...HELD, ...ENDED],
  suspended: ['offered', 'active', 'complete', ...HELD, ...ENDED],
  complete: ['active', ...HELD, ...ENDED],
  cancelled: [],
  failed: [],
};

/** Checks every status of one transfer: form, code, order of states, and counts that never go back. */
export function assertLegalStatuses(statuses, transfer) {
  const own = statuses.filter((status) => status.data.transfer === transfer);
  let state = 'offered';
  let sent = 0;
  const received = new Map();
  for (const { code, msg, data } of own) {
    assert.equal(code, CODES[data.state], `code of ${data.state}`);
    assert.equal(typeof msg, 'string');
    assert.ok(
      data.state === state || NEXT[state].includes(data.state),
      `${state} must not become ${data.state}`,
    );
    assert.ok(data.sent >= sent, `sent went back from ${sent} to ${data.sent}`);
    assert.ok(Number.isSafeInteger(data.bytesPerSecond), `bytesPerSecond is ${data.bytesPerSecond}`);
    assert.ok(
      data.etaSeconds === null || Number.isSafeInteger(data.etaSeconds),
      `etaSeconds is ${data.etaSeconds}`,
    );
    for (const receiver of data.receivers) {
      assert.ok(receiver.received >= (received.get(receiver.member) ?? 0), 'received went back');
      received.set(receiver.member, receiver.received);
    }
    ({ state, sent } = data);
  }
  return own;
}
