// Only one tab of a browser runs a study. Tabs talk over a BroadcastChannel: a newcomer asks, an
// owner answers "busy", and "take" moves the study over. A closed tab does not answer, so nothing
// can be left locked. Should two tabs run all the same, the server still counts each answer once.

import { randomHex128 } from "./hash.js";

const ANSWER_WITHIN_MS = 150;
const SAME_MOMENT_MS = 1000;

/** This tab among those that show the study. */
export class Tabs {
  #id = randomHex128();
  /** @type {BroadcastChannel | null} */
  #channel = null;
  #owner = false;
  #ownerSince = 0;
  /** @type {(() => void) | null} */
  #onBusy = null;

  /**
   * @param {string} study
   * @param {() => void} onTaken  called when another tab has taken the study over
   */
  constructor(study, onTaken) {
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(`plausibly:${study}`);
    this.#channel.onmessage = ({ data }) => {
      if (data.type === "ask" && this.#owner) this.#say("busy");
      if (data.type === "busy") this.#onBusy?.();
      if (data.type === "take" && this.#owner) {
        // Two tabs opened at the same moment both take: the smaller id stays.
        const sameMoment = performance.now() - this.#ownerSince < SAME_MOMENT_MS;
        if (!data.forced && sameMoment && this.#id < data.id) {
          this.#say("take", true);
          return;
        }
        this.#owner = false;
        onTaken();
      }
    };
  }

  /** Becomes the owner unless another tab is, or by force. Returns whether this tab owns it. */
  async claim(forced) {
    if (!this.#channel || this.#owner) return true;
    const busy = !forced && (await this.#ask());
    if (busy) return false;
    this.#owner = true;
    this.#ownerSince = performance.now();
    this.#say("take", forced);
    return true;
  }

  /** Leaves the study to others. */
  close() {
    this.#owner = false;
    this.#channel?.close();
  }

  #ask() {
    return new Promise((resolve) => {
      this.#onBusy = () => resolve(true);
      setTimeout(() => resolve(false), ANSWER_WITHIN_MS);
      this.#say("ask");
    }).finally(() => { this.#onBusy = null; });
  }

  #say(type, forced = false) {
    this.#channel?.postMessage({ type, forced, id: this.#id });
  }
}
