// text: the participant's own words.

import { element } from "../element.js";
import { Layout } from "./layout.js";

export class TextLayout extends Layout {
  static needs() { return { narrow: 3, wide: 3, more: 0, under: false, beside: 15 }; }

  #field = element("textarea", "");

  constructor(desk) {
    super(desk);
    const { max_length: most, required = false } = desk.trial;
    const field = this.#field;
    const count = element("span", "quiet counter");
    field.maxLength = most;
    field.rows = 3;
    field.value = desk.draft ?? "";
    field.setAttribute("aria-labelledby", "prompt");
    const confirm = this.confirmation(() => field.value, "");
    const draw = () => {
      count.textContent = `${field.value.length} / ${most}`;
      confirm.disabled = required && !field.value.trim();
    };
    field.addEventListener("input", (event) => {
      desk.touched(event);
      desk.keep(field.value);
      draw();
    });
    desk.answers.append(field, count, confirm);
    draw();
  }

  // On a phone the keyboard would cover the picture before it has been looked at.
  get focus() {
    const typing = window.matchMedia("(hover: hover) and (pointer: fine)").matches;
    return typing ? this.#field : super.focus;
  }
}
