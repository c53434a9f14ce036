// point: one pixel of the first picture.

import { MarkLayout, outline, svg } from "./marks.js";

export class PointLayout extends MarkLayout {
  #at;
  #confirm;

  constructor(desk) {
    super(desk, desk.size.width, desk.size.height, desk.t("point_label"));
    this.#at = desk.draft;
    this.#confirm = this.confirmation(() => `${this.#at.x},${this.#at.y}`);
    desk.answers.append(this.place, this.#confirm);
    this.place.textContent = desk.t("point_hint");
    this.draw();
  }

  marked(cell) { this.#set(cell); }

  touchedAt(cell) { this.#set(cell); }

  #set(cell) {
    this.#at = cell;
    this.desk.keep(cell);
    this.place.textContent = this.desk.t("point_at", { column: cell.x + 1, row: cell.y + 1 });
    this.draw();
  }

  draw() {
    this.#confirm.disabled = this.#at === null;
    const drawn = this.cursor ? outline(this.cursor, "cursor") : [];
    if (this.#at) drawn.push(...this.#cross(this.#at));
    this.marks.replaceChildren(...drawn);
  }

  /** Hair lines through the pixel that leave the pixel itself free. */
  #cross({ x, y }) {
    const lines = [
      { x1: 0, x2: x, y1: y + 0.5, y2: y + 0.5 },
      { x1: x + 1, x2: this.columns, y1: y + 0.5, y2: y + 0.5 },
      { y1: 0, y2: y, x1: x + 0.5, x2: x + 0.5 },
      { y1: y + 1, y2: this.rows, x1: x + 0.5, x2: x + 0.5 },
    ];
    const draw = (shade) => lines.map((line) => svg("line", {
      ...line, class: `cross ${shade}`, "vector-effect": "non-scaling-stroke",
    }));
    return [...draw("dark"), ...draw("light"), ...outline({ x, y }, "spot")];
  }
}
