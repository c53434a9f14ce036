// What survives a refresh, per study, in localStorage. Where storage is blocked (some private
// windows) the same lives in memory, and only a refresh loses it.

const REFUSED_KEPT = 50;

class Store {
  #memory = new Map();
  #prefix;

  constructor(study) {
    this.#prefix = `plausibly:${study}`;
  }

  /** The participant's token, or null. */
  get token() { return this.#read(""); }
  set token(value) { this.#write("", value); }

  /** The nonce of a consent under way, or null: kept so that a lost reply can be asked again. */
  get nonce() { return this.#read(":nonce"); }
  set nonce(value) { this.#write(":nonce", value); }

  /** Answers that the server has not acknowledged, oldest first. */
  get outbox() { return this.#readList(":outbox"); }
  set outbox(entries) { this.#writeList(":outbox", entries); }

  /** Answers that the server refused for good, newest last. */
  get refused() { return this.#readList(":refused"); }
  set refused(entries) { this.#writeList(":refused", entries.slice(-REFUSED_KEPT)); }

  /** Forgets the participant on this device. */
  clear() {
    this.token = null;
    this.nonce = null;
    this.outbox = [];
    this.refused = [];
  }

  #readList(suffix) {
    try {
      const list = JSON.parse(this.#read(suffix) ?? "[]");
      return Array.isArray(list) ? list : [];
    } catch {
      return [];
    }
  }

  #writeList(suffix, list) {
    this.#write(suffix, list.length ? JSON.stringify(list) : null);
  }

  #read(suffix) {
    if (this.#memory.has(suffix)) return this.#memory.get(suffix);
    try {
      return localStorage.getItem(this.#prefix + suffix);
    } catch {
      return null;
    }
  }

  #write(suffix, value) {
    try {
      if (value === null) localStorage.removeItem(this.#prefix + suffix);
      else localStorage.setItem(this.#prefix + suffix, value);
      this.#memory.delete(suffix);
    } catch {
      this.#memory.set(suffix, value);
    }
  }
}
