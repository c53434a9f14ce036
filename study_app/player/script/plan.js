// The part of the participant's plan that has been fetched. It lives in memory only: a question
// that has not been asked yet is neither in the page nor in storage.

/** How many trials are fetched at once. */
export const PAGE = 20;
const KEEP_AHEAD = 20; // trials: two questions to each of the pictures wanted ahead

/** The trials that are known, by position. */
export class Plan {
  /** @type {Map<number, import("./types").Trial>} */
  #trials = new Map();
  #send;
  #fetching = false;

  /** @param {(from: number, n: number) => Promise<import("./types").Reply>} send  GET /api/trials */
  constructor(send) {
    this.#send = send;
    this.total = 0;
    /** First trial without an answer, as far as the server has told. */
    this.answered = 0;
  }

  /** Keeps what a reply of GET /api/trials brought. */
  learn(body) {
    this.total = body.total;
    this.reached(body.position);
    for (const trial of body.trials ?? []) this.#trials.set(trial.position, trial);
  }

  /** The server has answers up to this position. */
  reached(position) { this.answered = Math.max(this.answered, position); }

  /** The trial at a position, if it is known. */
  at(position) { return this.#trials.get(position); }

  /** Known trials from a position on, in order. */
  from(position) {
    const known = [];
    for (let k = position; this.#trials.has(k); k += 1) known.push(this.#trials.get(k));
    return known;
  }

  /** Fetches more if little is left ahead; without insisting, the next trial asks again. */
  async refill(position) {
    const next = position + this.from(position).length;
    if (this.#fetching || next >= this.total || next - position > KEEP_AHEAD) return false;
    this.#fetching = true;
    try {
      const reply = await this.#send(next, PAGE);
      if (reply.status === 200) this.learn(reply.body);
      return reply.status === 200;
    } finally {
      this.#fetching = false;
    }
  }
}
