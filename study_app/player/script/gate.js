// Decides whether a press may count, and counts those that may not. What began before a question
// was there never answers it, and one press answers one question.

import { isFromKeys } from "./presses.js";

// After the onset: nobody answers a picture in less, but the second half of a double click does.
const LOCKOUT_MS = 200;

/** Open while the question of the moment takes answers. */
export class InputGate {
  /** @type {import("./presses.js").Presses} */
  #presses;
  #openAt = Infinity;
  #closeAt = Infinity;
  #refused = 0;

  /** @param {import("./presses.js").Presses} presses */
  constructor(presses) { this.#presses = presses; }

  /** Opens 200 ms after the onset of a question, and closes at the end of its response window. */
  open(onset, until = Infinity) {
    this.#openAt = onset + LOCKOUT_MS;
    this.#closeAt = until;
  }

  /** Closes until it is opened again. */
  close() { this.#openAt = Infinity; }

  /** Closes for good; returns how many presses it has refused since the last time. */
  settle() {
    const refused = this.#refused;
    this.close();
    this.#refused = 0;
    return refused;
  }

  /** Milliseconds until it opens. */
  get opensIn() { return this.#openAt - performance.now(); }

  /**
   * Lets a press through, or refuses it.
   * @param {import("./types").PressEvent} event
   */
  admits(event) {
    const press = this.#presses.of(event);
    if (this.#isOpen(press, event) && !press.bounced) return true;
    if (!press.refused) this.#refused += 1;
    press.refused = true;
    return false;
  }

  /**
   * Whether a movement may count: a stroke, or the cursor. It is part of a press.
   * @param {import("./types").PressEvent} event
   */
  follows(event) {
    const press = this.#presses.of(event);
    return this.#isOpen(press, event) && !press.refused;
  }

  /**
   * What the event was made with.
   * @returns {import("./types").InputKind}
   */
  inputOf(event) {
    if (isFromKeys(event)) return "key";
    if (event.pointerType) return event.pointerType === "mouse" ? "mouse" : "touch";
    // Older browsers do not tell with a click.
    return window.matchMedia("(hover: none)").matches ? "touch" : "mouse";
  }

  /** Not too early, by when the press began, and not too late, by the time that is recorded. */
  #isOpen({ began }, { timeStamp }) {
    return began >= this.#openAt && timeStamp <= this.#closeAt;
  }
}
