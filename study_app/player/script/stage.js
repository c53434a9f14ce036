// Where the pictures of a presentation are shown: one equal frame each, in the order of the plan,
// with the caption under it and room for what a layout adds.

import { element } from "./element.js";

/** The places of the pictures. */
export class Stage {
  /** @type {HTMLElement} */
  #root;
  /** @type {import("./types").Translator} */
  #t;
  /** @type {import("./types").Place[]} */
  #places = [];

  /**
   * @param {HTMLElement} root  the element that the frames go into
   * @param {import("./types").Translator} t
   */
  constructor(root, t) {
    this.#root = root;
    this.#t = t;
  }

  /** The places in order. */
  get places() { return this.#places; }

  /** Makes n empty places. */
  set(n) {
    this.#places = Array.from({ length: n }, (_, place) => {
      const name = n === 1 ? this.#t("picture_alt")
        : this.#t("picture_of", { place: place + 1, total: n });
      const figure = element("figure", "place");
      const frame = element("div", "frame");
      const picture = element("div", "picture");
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", name);
      const caption = element("figcaption", "");
      const under = element("div", "under");
      frame.append(picture);
      figure.append(frame, caption, under);
      return { figure, frame, picture, caption, under };
    });
    this.#root.replaceChildren(...this.#places.map(({ figure }) => figure));
  }

  /**
   * Writes the captions and takes away what the last layout added.
   * @param {string[]} [captions]
   */
  dress(captions = []) {
    this.#places.forEach(({ frame, caption, under }, place) => {
      caption.textContent = captions[place] ?? "";
      under.replaceChildren();
      frame.className = "frame";
      frame.querySelector(".marks")?.remove();
    });
  }
}
