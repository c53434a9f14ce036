// What survives a refresh, per study, in localStorage. Where storage is blocked (some private
// windows) the same lives in memory, and only a refresh loses it.

const REFUSED_KEPT = 50;
const SPARE = [":refused", ":draft", ":shown"];

/** What is kept about one study on this device. */
export class Store {
  /** @type {Map<string, string | null>} */
  #memory = new Map();
  #prefix;

  /** @param {string} study */
  constructor(study) {
    this.#prefix = `plausibly:${study}`;
  }

  /** The participant's token, or null. */
  get token() { return this.#read(""); }
  set token(value) { this.#write("", value); }

  /** The nonce of a consent under way, or null: kept so that a lost reply can be asked again. */
  get nonce() { return this.#read(":nonce"); }
  set nonce(value) { this.#write(":nonce", value); }

  /**
   * Answers that the server has not acknowledged, oldest first.
   * @returns {import("./types").OutboxEntry[]}
   */
  get outbox() { return this.#readList(":outbox"); }
  set outbox(entries) { this.#writeList(":outbox", entries); }

  /** Answers that the server refused for good, newest last. */
  get refused() { return this.#readList(":refused"); }
  set refused(entries) { this.#writeList(":refused", entries.slice(-REFUSED_KEPT)); }

  /** What has been entered under this key but not sent, or null. There is one draft at a time. */
  draft(key) {
    const [kept] = this.#readList(":draft");
    return kept !== undefined && kept.key === key ? kept.value : null;
  }

  /** Keeps what has been entered; null: nothing any more. */
  keepDraft(key, value) { this.#writeList(":draft", value === null ? [] : [{ key, value }]); }

  /** Counts that a trial is shown now; returns how often it has been, on this device. */
  showing(trialId) {
    const [before] = this.#readList(":shown");
    const times = before?.trialId === trialId ? before.times + 1 : 1;
    // Not worth a draft where storage is full.
    this.#stored(":shown", JSON.stringify([{ trialId, times }]));
    return times;
  }

  /** The language that the participant chose, or null. */
  get language() { return this.#read(":language"); }
  set language(value) { this.#write(":language", value); }

  /** Forgets the participant on this device. */
  clear() {
    this.token = null;
    this.language = null;
    this.#writeList(":draft", []);
    this.#writeList(":shown", []);
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

  /** @returns {string | null} */
  #read(suffix) {
    if (this.#memory.has(suffix)) return this.#memory.get(suffix) ?? null;
    try {
      return localStorage.getItem(this.#prefix + suffix);
    } catch {
      return null;
    }
  }

  #write(suffix, value) {
    if (this.#stored(suffix, value)) return;
    // Storage is full: what nobody waits for makes room for what somebody does.
    for (const spare of SPARE) if (spare !== suffix) this.#stored(spare, null);
    if (!this.#stored(suffix, value)) this.#memory.set(suffix, value);
  }

  #stored(suffix, value) {
    try {
      if (value === null) localStorage.removeItem(this.#prefix + suffix);
      else localStorage.setItem(this.#prefix + suffix, value);
      this.#memory.delete(suffix);
      return true;
    } catch {
      return false;
    }
  }
}
