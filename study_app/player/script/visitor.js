// A browser is not a person. Whoever opens the link where somebody has taken part, or has left ten
// minutes ago, is asked who they are; a provider's id tells by itself.

import { sha256Hex } from "./hash.js";

// By the link, and nobody has told yet who they are. Once in a page, whatever Streamlit takes out
// and puts back; a reload goes on with what was on the screen.
let opened = navigationType() !== "reload";

/** Whoever is at this device now. */
export class Visitor {
  /** @type {import("./store.js").Store} */
  #store;
  #id;

  /**
   * @param {import("./store.js").Store} store
   * @param {{name: string, id: string | null}} provider  as the link has it
   */
  constructor(store, { name, id }) {
    this.#store = store;
    this.#id = id && `${name}:${id}`;
  }

  /** The page was left and came back as it was: as good as opened anew. */
  reopened() { opened = true; }

  /** They have told who they are. */
  known() { opened = false; }

  /** Whether whoever opened the link has to say who they are, as far as this device can tell. */
  get doubtful() { return opened && this.#store.begun && this.#store.left; }

  /**
   * Whether what was begun on this device is theirs.
   * @returns {Promise<"theirs" | "anothers" | "unclear">}
   */
  async judge() {
    const { begun, person } = this.#store;
    if (begun && person && this.#id) {
      const same = person === (await this.#hash());
      return same ? "theirs" : "anothers";
    }
    return this.doubtful ? "unclear" : "theirs";
  }

  /** Keeps who consents here, so that somebody else is told apart. */
  async sign() { this.#store.person = this.#id ? await this.#hash() : null; }

  #hash() { return sha256Hex(new TextEncoder().encode(this.#id ?? "")); }
}

/** How this page was reached, as far as the browser tells. */
function navigationType() {
  const [navigation] = performance.getEntriesByType("navigation");
  return navigation && "type" in navigation ? navigation.type : "navigate";
}
