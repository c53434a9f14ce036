// scale: points in their order, with words for both ends. Points that are words stand in two columns
// on a narrow screen, the lower half left.

import { element } from "../element.js";
import { Layout, isWord } from "./layout.js";

export class ScaleLayout extends Layout {
  constructor(desk) {
    super(desk);
    const { options, ends = [] } = desk.trial;
    const words = options.some(({ label }) => isWord(label));
    const points = element("div", "points");
    const buttons = options.map((option) => this.option(option));
    points.append(...buttons);
    desk.answers.classList.add(words ? "words" : "caps");
    desk.style("--points", options.length);
    desk.style("--wide-rows", 1);
    const half = Math.ceil(options.length / 2);
    desk.style("--points-in-column", half);
    desk.style("--narrow-rows", words ? half + (ends.length ? 1 : 0) : 1);
    // More than seven caps are too narrow for a finger on a phone: two rows.
    const inRow = options.length > 7 ? half : options.length;
    desk.style("--points-in-row", inRow);
    desk.answers.append(points);
    ["low", "high"].forEach((side, k) => {
      if (!ends[k]) return;
      const end = element("span", `end ${side}`);
      end.id = `end-${side}`;
      end.textContent = ends[k];
      buttons.at(-k).setAttribute("aria-describedby", end.id);
      if (side === "low") points.before(end);
      else points.after(end);
    });
  }
}
