// The element everything is shown in: a child of <body>, outside Streamlit's own tree, in the
// browser's top layer. It covers Streamlit's chrome and its "connection error" dialog, and makes
// what it covers inert, so that no focus trap and no screen reader gets caught behind it. While
// that dialog is open Streamlit swallows clicks outside of it, and it has keyboard shortcuts at
// any time: so events are taken at the window, before Streamlit's listeners, and go no further.

import { direction } from "./texts.js";
import { orAbort } from "./waiting.js";

const HOST_ID = "plausibly-player";
const SHIELDED = [
  "click", "dblclick", "mousedown", "mouseup", "pointerdown", "pointerup", "touchstart", "touchend",
  "pointermove", "touchmove", "wheel", "focusin", "focusout", "keypress", "keyup",
];

const HANDLED = ["click", "pointerdown", "pointermove"];

/** The player's element, and the events that happen in it. */
export class Host {
  #element = document.createElement("div");
  /** @type {Set<HTMLElement>} */
  #covered = new Set();
  /** @type {WeakMap<EventTarget, ((event: PointerEvent) => void) | null>} */
  #clicks = new WeakMap();
  /** @type {WeakMap<EventTarget, (event: PointerEvent) => void>} */
  #pointers = new WeakMap();
  #listening = new AbortController();
  #observer = new MutationObserver(() => this.#guard());
  #languageBefore = document.documentElement.lang;
  #fontSizeBefore = document.documentElement.style.fontSize;
  #titleBefore = document.title;

  /**
   * @param {HTMLTemplateElement} template  with the screens
   * @param {string} css  their style sheet
   * @param {{language: string, title: string}} words
   */
  constructor(template, css, { language, title }) {
    document.getElementById(HOST_ID)?.remove();
    // The size of letters that the browser is set to; Streamlit's page has one of its own.
    document.documentElement.style.fontSize = "100%";
    this.#element.id = HOST_ID;
    this.speak(language, title);
    const style = document.createElement("style");
    style.textContent = css;
    this.root = this.#element.attachShadow({ mode: "open" });
    this.root.append(style, template.content.cloneNode(true));
    document.body.append(this.#element);
    if (this.#element.showPopover) {
      this.#element.popover = "manual";
      this.#element.showPopover();
    }
    this.#guard();
    // A finger that rests while it draws is drawing: no long press, which would swallow the next
    // tap. Comes before the others, which let nothing through.
    window.addEventListener("touchstart", (event) => {
      if (event.composedPath().some((part) => this.#pointers.has(part))) event.preventDefault();
    }, { capture: true, passive: false, signal: this.#listening.signal });
    const capture = { capture: true, passive: true, signal: this.#listening.signal };
    for (const type of SHIELDED) {
      window.addEventListener(type, (event) => this.#shield(event), capture);
    }
    this.#observer.observe(document.body, { childList: true });
    this.#observer.observe(this.#element, { attributeFilter: ["inert", "aria-hidden"] });
  }

  /**
   * The element of a selector, which is one of player.html.
   * @returns {any}
   */
  find(selector) { return this.root.querySelector(selector); }

  /** The language and title of everything shown. */
  speak(language, title) {
    this.#element.lang = language;
    this.#element.dir = direction(language);
    document.documentElement.lang = language;
    if (title) document.title = title;
  }

  /**
   * Calls handler(event) for clicks on an element of the player, instead of an earlier handler.
   * @param {Element} element
   * @param {((event: PointerEvent) => void) | null} handler  null: nobody
   */
  onClick(element, handler) { this.#clicks.set(element, handler); }

  /**
   * Calls handler(event) when a pointer comes down or moves on an element.
   * @param {Element} element
   * @param {(event: PointerEvent) => void} handler
   */
  onPointer(element, handler) { this.#pointers.set(element, handler); }

  /**
   * Resolves when the button is pressed.
   * @param {Element} button
   * @param {AbortSignal} signal
   */
  pressed(button, signal) {
    return orAbort(new Promise((resolve) => { this.onClick(button, resolve); }), signal);
  }

  /**
   * Tells where the player is, for tests and support: facts that the participant sees anyway.
   * @param {Record<string, any>} facts  null takes one back
   */
  tell(facts) {
    for (const [name, value] of Object.entries(facts)) {
      if (value === null) delete this.#element.dataset[name];
      else this.#element.dataset[name] = value;
    }
  }

  /** Takes the player off the page, which is as before. */
  remove() {
    this.#observer.disconnect();
    this.#listening.abort();
    for (const element of this.#covered) element.inert = false;
    this.#element.remove();
    document.documentElement.lang = this.#languageBefore;
    document.documentElement.style.fontSize = this.#fontSizeBefore;
    document.title = this.#titleBefore;
  }

  #shield(event) {
    const path = event.composedPath();
    const fromKeys = event.type.startsWith("key");
    if (!fromKeys && !path.includes(this.#element)) return;
    event.stopImmediatePropagation();
    const handlers = event.type === "click" ? this.#clicks : this.#pointers;
    if (!HANDLED.includes(event.type)) return;
    const target = path.find((element) => handlers.has(element));
    if (target) handlers.get(target)?.(event);
  }

  #guard() {
    if (this.#element.inert) this.#element.inert = false;
    if (this.#element.hasAttribute("aria-hidden")) this.#element.removeAttribute("aria-hidden");
    for (const element of document.body.children) {
      if (element instanceof HTMLElement && element !== this.#element && !element.inert) {
        element.inert = true;
        this.#covered.add(element);
      }
    }
  }
}
