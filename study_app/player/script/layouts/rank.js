// rank: the pictures one after the other, best first. Pressing one gives it the next rank, pressing
// the last one again takes it back.

import { element } from "../element.js";
import { Layout } from "./layout.js";

export class RankLayout extends Layout {
  #order; // places, best first
  #buttons = [];
  #next = element("p", "quiet hint");
  #undo;
  #confirm;

  static needs() { return { narrow: 2, wide: 2, more: 0, under: true, beside: 15 }; }

  constructor(desk) {
    super(desk);
    this.#order = (desk.draft ?? []).filter((place) => place < desk.places.length);
    this.#buttons = desk.places.map(({ frame, under }, place) => {
      const name = String.fromCharCode(65 + place);
      const button = this.button(name, name.toLowerCase(), () => this.#toggle(place));
      button.append(element("span", "badge"));
      button.dataset.value = place;
      frame.classList.add("pressable");
      desk.onPress(frame, (event) => { if (desk.admits(event)) this.#toggle(place); });
      under.append(button);
      return button;
    });
    this.#next.setAttribute("role", "status");
    this.#undo = this.button(desk.t("undo"), "Backspace", () => {
      this.#order.pop();
      this.#changed();
    });
    this.#confirm = this.confirmation(() => this.#order.join(","));
    desk.answers.append(this.#next, this.#undo, this.#confirm);
    this.#draw();
  }

  #toggle(place) {
    if (this.#order.at(-1) === place) this.#order.pop();
    else if (!this.#order.includes(place)) this.#order.push(place);
    this.#changed();
  }

  #changed() {
    this.desk.keep(this.#order);
    this.#draw();
  }

  #draw() {
    const { t } = this.desk;
    const total = this.#buttons.length;
    const ranked = this.#order.length;
    this.#buttons.forEach((button, place) => {
      const rank = this.#order.indexOf(place) + 1;
      const name = String.fromCharCode(65 + place);
      button.querySelector(".badge").textContent = rank || "";
      button.setAttribute("aria-pressed", rank > 0);
      button.setAttribute("aria-label", rank ? t("rank_placed", { name, rank }) : name);
    });
    this.#next.textContent = ranked === total ? t("rank_done")
      : t("rank_next", { rank: ranked + 1, total });
    this.#undo.disabled = ranked === 0;
    this.#confirm.disabled = ranked < total;
  }
}
