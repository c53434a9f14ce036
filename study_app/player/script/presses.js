// When each press of a key, mouse button or finger began, and whether it was one: a switch that
// bounces makes two of one. Told by the events of the press itself, wherever they can tell.
// Listens at the window before Host, which lets nothing through to those who come later.

const KEY_BOUNCE_MS = 80; // of a worn switch, after the key went down or up
const POINTER_BOUNCE_MS = 120; // from one beginning to the next; a hand takes longer to press again
const POINTER_BOUNCE_PX = 24;

/** @typedef {import("./types").Press} Press */

/** The presses of the moment. */
export class Presses {
  /** @type {Map<string, {press: Press, moved: number}>} */
  #keys = new Map(); // by code; `moved` is when it last went down or up
  /** @type {Map<number, Press>} */
  #pointers = new Map(); // by pointerId; those that have not become a click yet
  /** @type {{id: number, press: Press} | null} */
  #lastPointer = null;
  /** @type {Press | null} */
  #activation = null; // of Enter or Space, that the browser may make a click of
  /** @type {WeakMap<Event, Press>} */
  #ofEvent = new WeakMap();

  /** @param {AbortSignal} signal  ends the listening */
  constructor(signal) {
    const capture = { capture: true, signal };
    window.addEventListener("keydown", (event) => this.#keyDown(event), capture);
    window.addEventListener("keyup", (event) => this.#keyUp(event), capture);
    window.addEventListener("pointerdown", (event) => this.#pointerDown(event), capture);
    window.addEventListener("click", (event) => this.#click(event), capture);
    // What is released elsewhere is never heard of. (Captured, these would be an element's, too.)
    window.addEventListener("blur", () => this.#forgetKeys(), { signal });
    document.addEventListener("visibilitychange", () => this.#forgetKeys(), { signal });
  }

  /**
   * The press that an event is part of: {began, bounced}. One object for all of its events, on
   * which the gate notes what it decided. A click that nothing led up to, as assistive technology
   * makes them, began when it came.
   * @returns {Press}
   */
  of(event) {
    const press = this.#ofEvent.get(event) ?? this.#pointers.get(event.pointerId)
      ?? beginning(event);
    this.#ofEvent.set(event, press);
    return press;
  }

  #keyDown(event) {
    const name = event.code || event.key;
    const before = this.#keys.get(name);
    // Not held against a key: that it was never seen released. Its keyup may be lost to a dialog of
    // the system, or to Meta on macOS; the event itself says whether it repeats.
    const press = event.repeat && before ? before.press : beginning(event);
    if (press !== before?.press) press.bounced = within(KEY_BOUNCE_MS, before?.moved, event);
    this.#keys.set(name, { press, moved: event.timeStamp });
    this.#ofEvent.set(event, press);
    if (isActivation(event)) this.#activation = press;
  }

  #keyUp(event) {
    const key = this.#keys.get(event.code || event.key);
    if (key) key.moved = event.timeStamp;
    // The click that Space makes comes right after this, in the same task.
    if (isActivation(event)) setTimeout(() => { this.#activation = null; });
  }

  #forgetKeys() {
    this.#keys.clear();
    this.#activation = null;
  }

  #pointerDown(event) {
    // The first finger, or the mouse: whatever was down before is up.
    if (event.isPrimary) this.#pointers.clear();
    if (event.button !== 0) return;
    const press = beginning(event);
    const before = this.#lastPointer?.press;
    // A second finger is one that the first does not lift for.
    press.bounced = event.isPrimary && before !== undefined
      && within(POINTER_BOUNCE_MS, before.began, event)
      && Math.hypot(press.x - before.x, press.y - before.y) < POINTER_BOUNCE_PX;
    this.#pointers.set(event.pointerId, press);
    this.#lastPointer = { id: event.pointerId, press };
    this.#ofEvent.set(event, press);
  }

  #click(event) {
    if (isFromKeys(event)) {
      if (this.#activation) this.#ofEvent.set(event, this.#activation);
      return;
    }
    // Older browsers do not tell with a click which pointer made it.
    const id = event.pointerId ?? this.#lastPointer?.id;
    this.#ofEvent.set(event, this.#pointers.get(id) ?? beginning(event));
    this.#pointers.delete(id);
  }
}

/** @returns {Press} */
function beginning({ timeStamp, clientX, clientY }) {
  return { began: timeStamp, bounced: false, x: clientX, y: clientY };
}

function within(ms, time, event) {
  return time !== undefined && event.timeStamp - time < ms;
}

/** Whether a key is one that presses the focused button. */
export function isActivation({ key }) { return key === "Enter" || key === " "; }

/** Key presses, and clicks made by keys or assistive technology: no pointer made them. */
export function isFromKeys(event) {
  // `detail` says nothing else: it counts two honest answers within 400 ms as a double click.
  return event.type === "keydown" || (!event.pointerType && event.detail === 0);
}

/** A press of a single key, without Control, Alt or Meta. */
export function isPlainKey(event) {
  return !event.ctrlKey && !event.altKey && !event.metaKey && !event.isComposing;
}
