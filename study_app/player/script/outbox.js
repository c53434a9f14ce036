// Answers on their way to the server. An answer is written to storage before anything else is
// shown and leaves it only when the server has acknowledged or finally refused it. Answers go in
// order, one at a time; a repeated one carries the same event_id, so the server counts it once.

import { patiently, request } from "./api.js";
import { orAbort, pause } from "./waiting.js";

const WAITING_AFTER_MS = 3000;
const AT_ONCE_MS = 500; // an answer sent this fast does not need a word
const NO_FACTS = { rt_ms: null, timing: {}, display: {} };

/** The answers on their way. */
export class Outbox {
  /** @type {import("./store.js").Store} */
  #store;
  /** @type {import("./types").OutboxListener} */
  #listener;
  /** @type {AbortController | null} */
  #run = null;
  #sending = false;
  /** @type {Map<string, (body: any) => void>} */
  #waiters = new Map();
  /** @type {(() => void)[]} */
  #drained = [];

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./types").OutboxListener} listener
   */
  constructor(store, listener) {
    this.#store = store;
    this.#listener = listener;
  }

  /** Number of answers of this participant on their way. */
  get size() { return this.#mine().length; }

  /** The position after the last answer on its way, or 0. */
  get positionAfter() {
    return Math.max(0, ...this.#mine().map((entry) => entry.position + 1));
  }

  /**
   * Keeps an answer and starts sending it.
   * @param {number} position  of its trial
   * @param {import("./types").OutboxEntry["body"]} body
   */
  push(position, body) {
    const entry = { token: this.#store.token ?? "", position, since: Date.now(), body };
    this.#store.outbox = [...this.#store.outbox, entry];
    this.#send();
  }

  /** The server's acknowledgement of an answer, or null when it takes longer than `ms`. */
  acknowledgement(eventId, ms, signal) {
    const answered = new Promise((resolve) => { this.#waiters.set(eventId, resolve); });
    const late = pause(ms, signal).then(() => null);
    return Promise.race([answered, late]).finally(() => this.#waiters.delete(eventId));
  }

  /** Resolves when nothing is on its way any more. */
  drained(signal) {
    if (this.size === 0) return Promise.resolve();
    return orAbort(new Promise((resolve) => {
      this.#drained.push(() => resolve(undefined));
    }), signal);
  }

  /** Sends what waits, until `stop`. */
  start() {
    if (this.#run) return;
    this.#run = new AbortController();
    this.#send();
  }

  /** Stops sending and writing: another tab may own the outbox now. */
  stop() {
    this.#run?.abort();
    this.#run = null;
    this.#drained = [];
  }

  /** Drops this participant's answers: the server takes none of them any more. */
  forget() {
    const { token } = this.#store;
    this.#store.outbox = this.#store.outbox.filter((entry) => entry.token !== token);
  }

  #mine() {
    const { token } = this.#store;
    return this.#store.outbox.filter((entry) => entry.token === token);
  }

  async #send() {
    const run = this.#run;
    if (this.#sending || !run) return;
    this.#sending = true;
    try {
      for (let entry; !run.signal.aborted && (entry = this.#store.outbox[0]); ) {
        await this.#deliver(entry, run.signal);
      }
      if (!run.signal.aborted) this.#drained.splice(0).forEach((resolve) => resolve());
    } catch (error) {
      if (!run.signal.aborted) throw error;
    } finally {
      this.#sending = false;
      if (this.#run && this.#run !== run) this.#send();
    }
  }

  async #deliver(entry, signal) {
    const send = () => request("POST", "/api/response", {
      token: entry.token, body: entry.body, signal,
    });
    const soon = Math.max(AT_ONCE_MS, WAITING_AFTER_MS - (Date.now() - entry.since));
    // Somebody else's, who was at this device before: nobody here is told what becomes of it.
    const mine = () => entry.token === this.#store.token;
    const timer = setTimeout(() => { if (mine()) this.#listener.waiting(true); }, soon);
    const reply = await patiently(send, signal).finally(() => clearTimeout(timer));
    if (mine()) this.#listener.waiting(false);
    if (reply.status === 401 && mine()) {
      this.stop();
      this.#listener.unauthorised();
      return;
    }
    const lesser = reply.status === 422 ? withoutFacts(entry.body, reply.body.facts) : null;
    if (lesser) {
      // A fact about an answer is never worth the answer.
      this.#replace(entry, lesser);
      return;
    }
    this.#remove(entry);
    if (!mine()) return;
    if (reply.status === 410) {
      this.stop();
      this.forget();
      this.#listener.over();
      return;
    }
    if (reply.status === 200) {
      this.#waiters.get(entry.body.event_id)?.(reply.body);
      this.#listener.acknowledged(entry, reply.body);
    } else if (reply.status === 409) {
      this.#waiters.get(entry.body.event_id)?.(null);
      this.#listener.locked(entry);
    } else {
      this.#store.refused = [...this.#store.refused, { ...entry, status: reply.status }];
      this.#waiters.get(entry.body.event_id)?.(null);
      this.#listener.refused(entry);
    }
  }

  #replace(entry, body) {
    const { event_id: eventId } = body;
    this.#store.outbox = this.#store.outbox.map((kept) => (
      kept.body.event_id === eventId ? { ...entry, body } : kept
    ));
  }

  #remove(entry) {
    const { event_id: eventId } = entry.body;
    this.#store.outbox = this.#store.outbox.filter((kept) => kept.body.event_id !== eventId);
  }
}

/**
 * An answer without the facts that the server named as unfit ("rt_ms", "timing.input"); null where
 * it has none of them.
 */
function withoutFacts(body, facts = []) {
  const lesser = { ...body, timing: { ...body.timing }, display: { ...body.display } };
  for (const fact of facts) {
    const [field, ...name] = fact.split(".");
    if (!(field in NO_FACTS)) return null;
    if (name.length) delete lesser[field][name.join(".")];
    else lesser[field] = NO_FACTS[field];
  }
  return JSON.stringify(lesser) === JSON.stringify(body) ? null : lesser;
}
