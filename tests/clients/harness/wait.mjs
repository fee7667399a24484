// Waiting that tells what it waited for: on an answer, on an event, on a condition. It refuses to sleep for
// a fixed time and hope.

import { setTimeout as delay } from 'node:timers/promises';

/** How long anything may take before the test fails, in milliseconds. Generous: the machine may be busy. */
export const PATIENCE = 30_000;

/** The value of `promise`, or an error that names `what` was awaited. */
export async function within(promise, what, ms = PATIENCE) {
  const over = new AbortController();
  const tooLate = delay(ms, undefined, { signal: over.signal }).then(() => {
    throw new Error(`waited ${ms / 1000} s for ${typeof what === 'function' ? what() : what}`);
  });
  tooLate.catch(() => {});
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    over.abort();
  }
}

/** Waits until `condition()` is true, and returns what it returned. `seen()` adds to the error what there was instead. */
export async function until(what, condition, seen = () => '', ms = PATIENCE) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms / 1000} s until ${what}; ${seen()}`);
    await delay(5);
  }
}

/** Everything that came on one namespace, in order, each event to be taken once. */
export class Inbox {
  #events = [];
  #taken = new Set();
  #waiting = new Set();

  /** Adds what came. */
  push(event, ...args) {
    this.#events.push({ event, args });
    for (const look of [...this.#waiting]) look();
  }

  /** The first arguments of every `event` so far, taken or not. */
  all(event) {
    return this.#events.filter((entry) => entry.event === event).map((entry) => entry.args[0]);
  }

  /** Takes the first argument of the first `event` that `fits`, now or as soon as it comes. */
  next(event, fits = () => true, what = `the event "${event}"`) {
    const found = new Promise((resolve, reject) => {
      const look = () => {
        try {
          const entry = this.#events.find((e) => e.event === event && !this.#taken.has(e) && fits(...e.args));
          if (!entry) return;
          this.#taken.add(entry);
          this.#waiting.delete(look);
          resolve(entry.args[0]);
        } catch (error) {
          this.#waiting.delete(look);
          reject(error);
        }
      };
      this.#waiting.add(look);
      look();
    });
    return within(found, () => `${what}; the last that came: ${this.#last(event)}`);
  }

  #last(event) {
    const same = this.#events.filter((entry) => entry.event === event);
    const names = [...new Set(this.#events.map((entry) => entry.event))];
    return `${JSON.stringify(same.slice(-3).map((entry) => entry.args[0]))} (all events: ${names.join(', ')})`;
  }
}
