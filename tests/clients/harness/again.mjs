// What a sensible client does after a fault: it asks again for a while. How often that was needed, and for
// which error, is counted, since a server that recovers by itself needs little of it.

import { setTimeout as delay } from 'node:timers/promises';
import { within } from './wait.mjs';

/** Errors that may pass by themselves while a cluster recovers. */
const PASSING = ['overloaded', 'transfer_not_found', 'room_not_found'];
const NO_ANSWER = 5000;
const counts = new Map();

/** Whether an answer is one after which asking again makes sense. */
export const isPassing = (answer) => answer?.code === -1 && PASSING.includes(answer.data?.error);

/** How often something was asked again since the last call, in words. */
export function askedAgain() {
  const words = [...counts].map(([what, count]) => `${what}: ${count}`).join(', ');
  counts.clear();
  return `asked again: ${words || 'never'}`;
}

/**
 * The answer to `event`, asked again for `ms` milliseconds while it is refused for a reason that may pass, or
 * nobody answers; `null` as soon as it is not `isStill` of interest. `words` may be a function.
 */
export async function askAgain(wire, event, words, { ms = 15_000, isStill = () => true } = {}) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await once(wire, event, typeof words === 'function' ? words() : words, isStill);
    if (!isStill()) return null;
    if (answer && !isPassing(answer)) return answer;
    if (Date.now() > end) return answer;
    const what = `${event} ${answer?.data.error ?? 'without an answer'}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
    await delay(200);
    if (!isStill()) return null;
    await within(wire.connected(), `the link for "${event}"`);
  }
}

/** One answer, or `null` when there is none for long, or the link was lost. */
function once(wire, event, words, isStill) {
  return new Promise((resolve) => {
    const over = () => resolve(null);
    wire.socket.once('disconnect', over);
    wire.socket.timeout(NO_ANSWER).emit(event, words, (error, answer) => {
      wire.socket.off('disconnect', over);
      resolve(error ? null : answer);
    });
    if (!isStill()) over();
  });
}
