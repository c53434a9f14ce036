// When a question was first on the screen and when it was answered, on the clock of
// performance.now, which animation frames and input events share. All values in milliseconds.

const FRAMES_KEPT = 15;
const USUAL_FRAME_MS = 1000 / 60;

/** Resolves with the time of the next animation frame. */
function nextFrame() {
  return new Promise((resolve) => { requestAnimationFrame(resolve); });
}

function tenth(ms) {
  return Math.round(ms * 10) / 10;
}

/** Calls `changed` when the pixel ratio changes, which need not change the window's size. */
function onPixelRatio(changed, signal) {
  const same = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  same.addEventListener("change", () => {
    changed();
    onPixelRatio(changed, signal);
  }, { once: true, signal });
}

class FrameClock {
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
   */
  async onsetOf(paint) {
    await nextFrame();
    paint();
    const painted = await nextFrame();
    const onset = await nextFrame();
    this.#note(onset - painted);
    return { onset, error: Math.max(onset - painted, this.frameMs) };
  }

  #note(ms) {
    // A gap of seconds is a hidden page, not a frame.
    if (ms > 0 && ms < 250) this.#durations = [...this.#durations, ms].slice(-FRAMES_KEPT);
  }
}

/** One question from its onset to its answer: counts looking away. */
class Exposure {
  #onset;
  #error;
  #started = new Date();
  #hiddenMs = 0;
  #hiddenSince = null;
  #lost = 0;
  #first = null;
  #ratio = window.devicePixelRatio;
  #ratioChanges = 0;
  #stop = new AbortController();

  constructor({ onset, error }) {
    this.#onset = onset;
    this.#error = error;
    const { signal } = this.#stop;
    document.addEventListener("visibilitychange", () => this.#visibility(), { signal });
    window.addEventListener("blur", () => this.lookedAway(), { signal });
    this.#visibility();
  }

  get onset() { return this.#onset; }

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

  /** The timing record of the answer given by `event`. */
  end(event, input, frameMs, redraws) {
    if (this.#hiddenSince !== null) this.#hiddenMs += performance.now() - this.#hiddenSince;
    this.cancel();
    return {
      onset_ms: tenth(this.#onset),
      response_ms: tenth(event.timeStamp),
      first_ms: tenth((this.#first ?? event.timeStamp) - this.#onset),
      rt_source: "event",
      frame_ms: tenth(frameMs),
      onset_error_ms: tenth(this.#error),
      hidden_ms: tenth(this.#hiddenMs),
      focus_lost_n: this.#lost,
      redraw_n: redraws,
      pixel_ratio_changes: this.#ratioChanges,
      input,
      started_utc: this.#started.toISOString(),
    };
  }

  cancel() { this.#stop.abort(); }

  #visibility() {
    if (document.hidden) {
      this.#hiddenSince ??= performance.now();
    } else if (this.#hiddenSince !== null) {
      this.#hiddenMs += performance.now() - this.#hiddenSince;
      this.#hiddenSince = null;
    }
  }
}
