// What point and brush share: a drawing over the first picture, in whole cells of it, never on the
// stimulus itself; a finger or mouse, or a cursor moved with the arrow keys.

import { element } from "../element.js";
import { Layout } from "./layout.js";

const ARROWS = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
const SVG = "http://www.w3.org/2000/svg";
const STRIDE = 5; // cells, with Shift

export class MarkLayout extends Layout {
  static needs() { return { narrow: 2, wide: 2, more: 0, under: false, beside: 15 }; }

  #canvas;

  /** columns, rows: into how many cells the picture is cut. */
  constructor(desk, columns, rows, label) {
    super(desk);
    this.columns = columns;
    this.rows = rows;
    /** Where the keyboard's cursor is, or null before it is used: {x, y}. */
    this.cursor = null;
    this.#canvas = desk.places[0].picture;
    this.marks = svg("svg", { class: "marks", viewBox: `0 0 ${columns} ${rows}` });
    this.marks.setAttribute("role", "application");
    this.marks.setAttribute("tabindex", "0");
    this.marks.setAttribute("aria-label", label);
    this.marks.setAttribute("preserveAspectRatio", "none");
    desk.places[0].picture.append(this.marks);
    this.place = element("p", "quiet hint");
    this.place.setAttribute("role", "status");
    desk.onPointer(this.marks, (event) => this.#pointer(event));
  }

  get focus() { return this.marks; }

  key(event) {
    const step = ARROWS[event.key.toLowerCase()];
    if (step) {
      if (this.desk.follows(event)) this.#move(step, event.shiftKey ? STRIDE : 1);
      return true;
    }
    if (event.key === " ") {
      if (!event.repeat && this.desk.admits(event)) {
        this.cursor ??= this.#middle();
        this.marked(this.cursor);
      }
      return true;
    }
    return super.key(event);
  }

  /** The space bar was pressed at a cell. */
  marked(cell) { throw new Error(`not drawn: ${cell}`); }

  /** A finger or mouse is at a cell; `first` when it has just come down. */
  touchedAt(cell, first) { throw new Error(`not drawn: ${cell} ${first}`); }

  /** Draws the marks anew. */
  draw() { throw new Error("not drawn"); }

  #middle() { return { x: this.columns >> 1, y: this.rows >> 1 }; }

  /** Moves the cursor, which begins in the middle. */
  #move([dx, dy], by) {
    const clamp = (value, end) => Math.min(end - 1, Math.max(0, value));
    this.cursor = this.cursor === null ? this.#middle() : {
      x: clamp(this.cursor.x + by * dx, this.columns),
      y: clamp(this.cursor.y + by * dy, this.rows),
    };
    this.place.textContent = this.desk.t("cursor_at", {
      column: this.cursor.x + 1, row: this.cursor.y + 1,
    });
    this.draw();
  }

  #pointer(event) {
    const begins = event.type === "pointerdown";
    if (begins && event.button === 0) this.marks.setPointerCapture(event.pointerId);
    else if (begins || !event.buttons) return;
    if (!(begins ? this.desk.admits(event) : this.desk.follows(event))) return;
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const cellAt = (at, from, length, n) => (
      Math.min(n - 1, Math.max(0, Math.floor(((at - from) / length) * n)))
    );
    this.cursor = null;
    this.touchedAt({
      x: cellAt(event.clientX, left, width, this.columns),
      y: cellAt(event.clientY, top, height, this.rows),
    }, begins);
  }
}

export function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** The outline of a cell: dark and light, so that it is seen on any picture. */
export function outline({ x, y }, className) {
  const box = { x, y, width: 1, height: 1, "vector-effect": "non-scaling-stroke" };
  return [svg("rect", { ...box, class: `${className} dark` }),
    svg("rect", { ...box, class: `${className} light` })];
}
