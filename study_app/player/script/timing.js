// When a question was first on the screen and when it was answered, on the clock of
// performance.now, which animation frames and input events share. All values in milliseconds.

import { pause } from "./waiting.js";

const FRAMES_KEPT = 15;
const USUAL_FRAME_MS = 1000 / 60;
const WATCHED_MS = 200; // before the end of an exposure, which every frame then looks for
const BEAT_MS = 250;
const STALL_MS = 1000; // a pause that no browser makes by itself

/**
 * Resolves with the time of the next animation frame.
 * @returns {Promise<number>}
 */
function nextFrame() {
  return new Promise((resolve) => { requestAnimationFrame(resolve); });
}

/** Milliseconds in steps of a tenth. */
export function tenth(ms) {
  return Math.round(ms * 10) / 10;
}

/**
 * Calls `changed` when the pixel ratio changes, which need not change the window's size.
 * @param {() => void} changed
 * @param {AbortSignal} signal
 */
export function onPixelRatio(changed, signal) {
  const same = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  same.addEventListener("change", () => {
    changed();
    onPixelRatio(changed, signal);
  }, { once: true, signal });
}

/** How long a frame of this screen is, and which frame something was shown in. */
export class FrameClock {
  /** @type {number[]} */
  #durations = [];

  /** Median duration of recent frames. */
  get frameMs() {
    if (!this.#durations.length) return USUAL_FRAME_MS;
    const sorted = [...this.#durations].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }

  /** Learns the frame duration of this screen over a few frames. */
  async learn(frames = FRAMES_KEPT) {
    let before = await nextFrame();
    for (let i = 0; i < frames; i += 1) {
      const now = await nextFrame();
      this.#note(now - before);
      before = now;
    }
  }

  /**
   * Runs `paint` in one animation frame. Returns {onset, error}: the time of the second frame
   * after it, by when it is on the screen, and the length of the interval it appeared in.
   * @param {() => void} paint
   */
  async onsetOf(paint) {
    await nextFrame();
    paint();
    const painted = await nextFrame();
    const onset = await nextFrame();
    this.#note(onset - painted);
    return { onset, error: Math.max(onset - painted, this.frameMs) };
  }

  /**
   * Runs `hide` in the animation frame by which what began with `exposure` has been seen for `ms`,
   * to the nearest frame, and notes in `exposure` how long that was. Throws when it has ended.
   * @param {() => void} hide
   * @param {Exposure} exposure
   * @param {number} ms
   */
  async offsetOf(hide, exposure, ms) {
    const { onset, signal } = exposure;
    // As with the onset: what is done in a frame is on the screen by the second frame after it.
    const last = onset + ms - 2.5 * this.frameMs;
    await pause(Math.max(0, last - WATCHED_MS - performance.now()), signal);
    let now = 0;
    while (now < last) {
      now = await nextFrame();
      signal.throwIfAborted();
    }
    hide();
    exposure.seenUntil(now + 2 * this.frameMs);
    await nextFrame();
    const offset = await nextFrame();
    signal.throwIfAborted();
    exposure.seenUntil(offset);
  }

  #note(ms) {
    // A gap of seconds is a hidden page, not a frame.
    if (ms > 0 && ms < 250) this.#durations = [...this.#durations, ms].slice(-FRAMES_KEPT);
  }
}

/** One question from its onset to its answer: counts looking away, and being shown before. */
export class Exposure {
  #onset;
  #times;
  /** @type {number | null} */
  #seenUntil = null;
  #error;
  #started = new Date();
  #hiddenMs = 0;
  /** @type {number | null} */
  #hiddenSince = null;
  /** @type {number | null} */
  #frozenMs = "onfreeze" in document ? 0 : null; // null: this browser does not tell
  /** @type {number | null} */
  #frozenSince = null;
  #stalledMs = 0;
  #beat = performance.now(); // when the page was last known to be running
  #beats = setInterval(() => this.#runs(), BEAT_MS);
  #lost = 0;
  /** @type {number | null} */
  #first = null;
  #ratio = window.devicePixelRatio;
  #ratioChanges = 0;
  #stop = new AbortController();

  /**
   * @param {{onset: number, error: number}} painted  see FrameClock.onsetOf
   * @param {number} times  how often the question has been shown, this time included
   */
  constructor({ onset, error }, times) {
    this.#onset = onset;
    this.#times = times;
    this.#error = error;
    const { signal } = this.#stop;
    document.addEventListener("visibilitychange", () => this.#visibility(), { signal });
    document.addEventListener("freeze", () => this.#froze(), { signal });
    document.addEventListener("resume", () => this.#thawed(), { signal });
    window.addEventListener("blur", () => this.lookedAway(), { signal });
    this.#visibility();
  }

  /** When it was first on the screen. */
  get onset() { return this.#onset; }

  /** Aborted when the question has been answered or given up. */
  get signal() { return this.#stop.signal; }

  /** The pictures were taken away. */
  seenUntil(time) { this.#seenUntil = time; }

  /** The window lost the focus, or something was opened over the picture. */
  lookedAway() { this.#lost += 1; }

  /** The window was zoomed, resized or moved to another screen. */
  resized() {
    if (window.devicePixelRatio === this.#ratio) return;
    this.#ratio = window.devicePixelRatio;
    this.#ratioChanges += 1;
  }

  /** The participant did something; the first time counts. */
  touched(event) { this.#first ??= event.timeStamp; }

  /**
   * The timing record of the answer given by `event`; null: by nobody, the time was over.
   * `refused`: presses that were not taken since the answer before. Its facts are those that
   * db/measured.py declares; the server refuses any other.
   * @param {Event | null} event
   * @param {{input: import("./types").InputKind | null, frameMs: number, redraws: number, refused: number}} facts
   * @returns {import("./types").Timing}
   */
  end(event, { input, frameMs, redraws, refused }) {
    this.#runs();
    if (this.#hiddenSince !== null) this.#hiddenMs += performance.now() - this.#hiddenSince;
    this.cancel();
    return {
      onset_ms: tenth(this.#onset),
      response_ms: event && tenth(event.timeStamp),
      first_ms: this.#sinceOnset(this.#first ?? event?.timeStamp),
      rt_source: event && "event",
      exposure_ms: this.#sinceOnset(this.#seenUntil),
      shown_n: this.#times,
      frame_ms: tenth(frameMs),
      onset_error_ms: tenth(this.#error),
      hidden_ms: tenth(this.#hiddenMs),
      frozen_ms: this.#frozenMs === null ? null : tenth(this.#frozenMs),
      stalled_ms: tenth(this.#stalledMs),
      focus_lost_n: this.#lost,
      redraw_n: redraws,
      refused_n: refused,
      pixel_ratio_changes: this.#ratioChanges,
      input,
      started_utc: this.#started.toISOString(),
    };
  }

  /** It is over, with or without an answer. */
  cancel() {
    this.#stop.abort();
    clearInterval(this.#beats);
  }

  #sinceOnset(time) { return typeof time === "number" ? tenth(time - this.#onset) : null; }

  /** The page runs. Where it did not for long, and nobody said why, the device has slept. */
  #runs() {
    const now = performance.now();
    const explained = this.#hiddenSince !== null || this.#frozenSince !== null;
    if (!explained && now - this.#beat > STALL_MS) this.#stalledMs += now - this.#beat;
    this.#beat = now;
  }

  #froze() {
    this.#runs();
    this.#frozenSince = performance.now();
  }

  #thawed() {
    this.#runs();
    if (this.#frozenSince !== null && this.#frozenMs !== null) {
      this.#frozenMs += performance.now() - this.#frozenSince;
    }
    this.#frozenSince = null;
  }

  #visibility() {
    this.#runs();
    if (document.hidden) {
      this.#hiddenSince ??= performance.now();
    } else if (this.#hiddenSince !== null) {
      this.#hiddenMs += performance.now() - this.#hiddenSince;
      this.#hiddenSince = null;
    }
  }
}
