// How a question is answered. One class per layout, behind one interface: it is made with a desk
// (types.d.ts), which is what the question lends it, puts its controls there, and gives one answer.

import { element } from "../element.js";

/** What all layouts share: buttons with keys. */
export class Layout {
  /** @type {Map<string, {act: (event: any, button: HTMLElement) => void, button: HTMLButtonElement}>} */
  #keys = new Map();

  /** @param {import("../types").Desk} desk */
  constructor(desk) { this.desk = desk; }

  /**
   * What the controls of a question take of the window; the pictures get the rest.
   * @param {import("../types").Trial} trial
   * @returns {import("../types").Needs}
   */
  static needs(trial) {
    return { narrow: 3, wide: 3, more: 0, under: false, beside: trial.options.length ? 15 : 0 };
  }

  /**
   * What has the focus when the question begins.
   * @returns {HTMLElement | SVGElement}
   */
  get focus() { return this.desk.answers; }

  /**
   * A key went down outside of any field. Returns whether it was meant for this question.
   * @param {KeyboardEvent} event
   */
  key(event) {
    const name = keyOf(event, (key) => this.#keys.has(key));
    const entry = this.#keys.get(name ?? "");
    if (!entry || event.repeat) return false;
    this.#press(event, entry);
    return true;
  }

  /**
   * A button that does `act(event, button)` when it or its key is pressed. The key is shown on it
   * unless it is what the button says.
   */
  button(label, key, act, className = "") {
    const button = element("button", className);
    button.type = "button";
    button.textContent = label;
    this.wire(button, key, act);
    if (key) button.setAttribute("aria-keyshortcuts", key);
    if (key && key.toLowerCase() !== label.toLowerCase()) button.append(keyHint(key));
    return button;
  }

  /** Makes an element a button: see `button`. */
  wire(button, key, act) {
    const entry = { act, button };
    this.desk.onPress(button, (event) => this.#press(event, entry));
    if (key) this.#keys.set(key.toLowerCase(), entry);
  }

  /**
   * The button of an option: pressing it is the answer.
   * @param {import("../types").Option} option
   * @param {string} [className]
   */
  option(option, className = "") {
    const give = (event, button) => this.desk.give(event, option.value, button);
    const button = this.button(option.label, option.key, give, className);
    button.dataset.value = option.value;
    return button;
  }

  /** The button that gives a composed answer, made by `answer()`. */
  confirmation(answer, key = "Enter") {
    const give = (event, button) => this.desk.give(event, answer(), button);
    const button = this.button(this.desk.t("confirm"), "", give, "primary confirm");
    if (key) this.wire(button, key, give);
    return button;
  }

  #press(event, { act, button }) {
    if (!button.disabled && this.desk.admits(event)) act(event, button);
  }
}

/** The answer key of an event: the character, or the key's place on a keyboard without it. */
function keyOf(event, known) {
  const key = event.key.toLowerCase();
  if (known(key)) return key;
  // French digits need Shift, Cyrillic letters are other characters: the place of the key counts.
  const place = /^(?:Digit|Key)(.)$/.exec(event.code)?.[1].toLowerCase();
  return place && !/^[a-z0-9]$/.test(key) && known(place) ? place : null;
}

const KEY_CAPS = { Backspace: "⌫" };

function keyHint(key) {
  const hint = element("kbd", "");
  hint.textContent = KEY_CAPS[key] ?? key;
  hint.setAttribute("aria-hidden", "true");
  return hint;
}

/** Whether a label needs more room than a key cap. */
export function isWord(label) {
  // A Chinese or Japanese character is about as wide as two others.
  return label.replace(/[\u3000-\uffff]/g, "..").length > 3;
}
