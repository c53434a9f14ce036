// scale: points in their order, with words for both ends. Points that are words stand in two columns
// on a narrow screen, the lower half left.

import { element } from "../element.js";
import { Layout, isWord } from "./layout.js";

const MOST_IN_ROW = 7; // key caps that are wide enough for a finger on a phone
const ENDS = 0.6; // height of the words for both ends, in rows

export class ScaleLayout extends Layout {
  static needs(trial) {
    const { options, ends = [] } = trial;
    const words = options.some(({ label }) => isWord(label));
    const below = ends.length ? 1 : 0;
    return {
      ...super.needs(trial),
      narrow: words ? Math.ceil(options.length / 2) + below : 1,
      wide: 1,
      more: ENDS * below + (words || options.length <= MOST_IN_ROW ? 0 : 1),
    };
  }

  constructor(desk) {
    super(desk);
    const { options, ends = [] } = desk.trial;
    const words = options.some(({ label }) => isWord(label));
    const points = element("div", "points");
    const buttons = options.map((option) => this.option(option));
    points.append(...buttons);
    desk.answers.classList.add(words ? "words" : "caps");
    desk.style("--points", options.length);
    const half = Math.ceil(options.length / 2);
    desk.style("--points-in-column", half);
    desk.style("--points-in-row", options.length > MOST_IN_ROW ? half : options.length);
    desk.style("--points-beside", options.length > 5 ? half : options.length);
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
