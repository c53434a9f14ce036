// What survives a refresh, per study, in localStorage. Where storage is blocked (some private
// windows) the same lives in memory, and only a refresh loses it.

const IDLE_MS = 10 * 60_000; // after so long, whoever comes may be somebody else
const ENDED = "ended";
const REFUSED_KEPT = 50;
const SPARE = [":refused", ":draft", ":shown"];

/** What is kept about one study on this device. */
export class Store {
  /** @type {Map<string, string | null>} */
  #memory = new Map();
  #prefix;
  #shared;

  /**
   * @param {string} study
   * @param {boolean} shared  whether the device belongs to everybody, and forgets at each end
   */
  constructor(study, shared) {
    this.#prefix = `plausibly:${study}`;
    this.#shared = shared;
  }

  /** Whether the device belongs to everybody. */
  get shared() { return this.#shared; }

  /** Whether what is kept outlives this page. */
  get lasts() {
    const lasts = this.#stored(":probe", "");
    this.#stored(":probe", null);
    return lasts;
  }

  /** The participant's token, or null. */
  get token() { return this.#read(""); }
  set token(value) { this.#write("", value); }

  /** The nonce of a consent under way, or null: kept so that a lost reply can be asked again. */
  get nonce() { return this.#read(":nonce"); }
  set nonce(value) { this.#write(":nonce", value); }

  /** A hash of the provider's id of whoever consented here, or null. */
  get person() { return this.#read(":person"); }
  set person(value) { this.#write(":person", value); }

  /** Whether somebody has begun here, if only to consent. */
  get begun() { return Boolean(this.token ?? this.nonce); }

  /** Whether what was begun here is over, or was left alone for ten minutes. */
  get left() {
    const seen = this.#read(":seen");
    return seen === ENDED || !(Math.abs(Date.now() - Number(seen)) < IDLE_MS);
  }

  /** The participant is here and goes on. */
  touch() { this.#write(":seen", String(Date.now())); }

  /** The participation is over. A shared device forgets it; this page may still speak of it. */
  end() {
    const { token } = this;
    if (this.#shared) {
      this.clear();
      this.#memory.set("", token);
      this.#memory.set(":seen", ENDED);
    } else {
      this.#write(":seen", ENDED);
    }
  }

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
    this.touch();
    // Not worth a draft where storage is full.
    this.#stored(":shown", JSON.stringify([{ trialId, times }]));
    return times;
  }

  /** The language that the participant chose, or null. */
  get language() { return this.#read(":language"); }
  set language(value) { this.#write(":language", value); }

  /** Forgets the participant on this device. */
  clear() {
    const { token } = this;
    this.outbox = this.outbox.filter((entry) => entry.token !== token);
    this.leave();
  }

  /**
   * Makes room for somebody else. What the server has not got yet of the participant's answers is
   * still sent, under the token that they were given with.
   */
  leave() {
    this.token = null;
    this.language = null;
    this.#writeList(":draft", []);
    this.#writeList(":shown", []);
    this.nonce = null;
    this.person = null;
    this.#write(":seen", null);
    this.refused = [];
  }

  /** Somebody goes on here by their personal link. */
  become(token) {
    if (token !== this.token) this.leave();
    this.token = token;
    this.touch();
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
