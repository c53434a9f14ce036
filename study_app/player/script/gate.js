// Decides whether a key press or click may count. A double click, a held key or a finger that
// bounces must never answer a question that was not there when it began.

const LOCKOUT_MS = 200;
const BOUNCE_MS = 500;
const BOUNCE_PX = 24;

class InputGate {
  #openAt = Infinity;
  #closeAt = Infinity;
  #last = null; // what was let through last: {time, key} or {time, x, y}

  /** Opens 200 ms after the onset of a question, and closes at the end of its response window. */
  open(onset, until = Infinity) {
    this.#openAt = onset + LOCKOUT_MS;
    this.#closeAt = until;
  }

  close() { this.#openAt = Infinity; }

  /** Milliseconds until it opens. */
  get opensIn() { return this.#openAt - performance.now(); }

  /** Whether an event comes late enough to be meant for the question, and not too late. */
  isOpen({ timeStamp }) { return timeStamp >= this.#openAt && timeStamp <= this.#closeAt; }

  /** Lets a key press or click through, or not. */
  admits(event) {
    const time = event.timeStamp;
    if (!this.isOpen(event)) return false;
    const now = isFromKeys(event)
      ? { time, key: event.key ?? "activated" }
      : { time, x: event.clientX, y: event.clientY };
    if (this.#last && this.#repeats(now)) return false;
    this.#last = now;
    return true;
  }

  /** "key", "touch" or "mouse". */
  inputOf(event) {
    if (isFromKeys(event)) return "key";
    if (event.pointerType) return event.pointerType === "mouse" ? "mouse" : "touch";
    // Older browsers do not tell with a click.
    return window.matchMedia("(hover: none)").matches ? "touch" : "mouse";
  }

  #repeats(now) {
    if (now.time - this.#last.time >= BOUNCE_MS) return false;
    if ("key" in now) return now.key === this.#last.key;
    return Math.hypot(now.x - this.#last.x, now.y - this.#last.y) < BOUNCE_PX;
  }
}

/** Key presses, and clicks made with Enter or Space on a focused button. */
function isFromKeys(event) {
  return event.type === "keydown" || event.detail === 0;
}

/** A press of a single key, without Control, Alt or Meta. */
function isPlainKey(event) {
  return !event.ctrlKey && !event.altKey && !event.metaKey && !event.isComposing;
}
