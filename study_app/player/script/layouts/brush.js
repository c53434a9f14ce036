// brush: any cells of the first picture, cut into `cells` x `cells`. A stroke that begins on a
// painted cell takes away.

import { MarkLayout, outline, svg } from "./marks.js";

export class BrushLayout extends MarkLayout {
  #painted;
  #erasing = false;
  #clear;

  constructor(desk) {
    const { cells } = desk.trial;
    super(desk, cells, cells, desk.t("brush_label"));
    this.#painted = new Set(desk.draft ?? []);
    this.#clear = this.button(desk.t("clear"), "Backspace", () => {
      this.#painted.clear();
      this.#changed();
    });
    const answer = () => [...this.#painted].sort((a, b) => a - b).join(",");
    desk.answers.append(this.place, this.#clear, this.confirmation(answer));
    this.#show();
    if (!this.#painted.size) this.place.textContent = desk.t("brush_hint");
  }

  marked(cell) {
    this.#erasing = this.#painted.has(this.#index(cell));
    this.#stroke(cell);
  }

  touchedAt(cell, first) {
    if (first) this.#erasing = this.#painted.has(this.#index(cell));
    this.#stroke(cell);
  }

  #index({ x, y }) { return y * this.columns + x; }

  #stroke(cell) {
    if (this.#erasing) this.#painted.delete(this.#index(cell));
    else this.#painted.add(this.#index(cell));
    this.#changed();
  }

  #changed() {
    this.desk.keep([...this.#painted]);
    this.#show();
  }

  #show() {
    this.place.textContent = this.desk.t("brush_count", { n: this.#painted.size });
    this.#clear.disabled = this.#painted.size === 0;
    this.draw();
  }

  draw() {
    const n = this.columns;
    const cells = [...this.#painted].map((k) => svg("rect", {
      x: k % n, y: Math.floor(k / n), width: 1, height: 1, class: "painted",
      "vector-effect": "non-scaling-stroke",
    }));
    this.marks.replaceChildren(...cells, ...(this.cursor ? outline(this.cursor, "cursor") : []));
  }
}
