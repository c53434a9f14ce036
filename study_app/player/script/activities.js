// One activity at a time: whatever begins ends what went on before. With it the requests that an
// activity insists on, and the status line, which says what it waits for.

import { patiently, request } from "./api.js";
import { BACKOFF_LAST_MS, pause } from "./waiting.js";

/** The activity of the moment. */
export class Activities {
  #run = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noteTimer;
  /** @type {string | null} */
  #note = null; // what the status line says while there is nothing more urgent
  /** @type {import("./store.js").Store} */
  #store;
  /** @type {import("./screens.js").Screens} */
  #screens;
  /** @type {() => void} */
  #halted;

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./screens.js").Screens} screens
   * @param {() => void} halted  called when an activity has been ended
   */
  constructor(store, screens, halted) {
    this.#store = store;
    this.#screens = screens;
    this.#halted = halted;
  }

  /** Aborted when the activity ends. */
  get signal() { return this.#run.signal; }

  /**
   * Ends whatever is going on and starts something else.
   * @param {() => Promise<unknown>} activity
   */
  begin(activity) {
    this.halt();
    this.#run = new AbortController();
    const { signal } = this.#run;
    activity().catch((error) => { if (!signal.aborted) throw error; });
  }

  /** Ends whatever is going on. */
  halt() {
    this.#run.abort();
    this.#halted();
    this.say(null);
  }

  /**
   * Says something on the status line.
   * @param {string | null} key  null: what was mentioned, or nothing
   */
  say(key) { this.#screens.status(key ?? this.#note); }

  /** Says something on the status line for a while. */
  mention(key, ms) {
    clearTimeout(this.#noteTimer);
    this.#note = key;
    this.say(null);
    this.#noteTimer = setTimeout(() => {
      this.#note = null;
      this.say(null);
    }, ms);
  }

  /**
   * A request that is repeated until it has a final answer, saying so while it waits.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  insist(method, path, body) {
    const { signal } = this;
    return patiently(
      () => request(method, path, { token: this.#store.token, body, signal }),
      signal,
      (waiting) => this.say(waiting ? "waiting_server" : null),
    );
  }

  /** After an answer of the server that this player does not know: says so, and waits. */
  async puzzled() {
    this.say("waiting_server");
    await pause(BACKOFF_LAST_MS / 2, this.signal);
  }
}
