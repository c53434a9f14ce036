// grid: labels in a fixed order, short ones as key caps, words in columns. row: a few answers side
// by side.

import { Layout, isWord } from "./layout.js";

export class GridLayout extends Layout {
  constructor(desk) {
    super(desk);
    const { options } = desk.trial;
    const short = options.filter(({ label }) => !isWord(label)).length;
    const words = short < options.length / 2;
    const columns = short > 10 ? 6 : 5;
    const rows = Math.ceil(short / columns) + options.length - short;
    desk.answers.classList.add(words ? "words" : "caps");
    desk.style("--columns", columns);
    desk.style("--narrow-rows", words ? Math.ceil(options.length / 2) : rows);
    desk.style("--wide-rows", words ? Math.ceil(options.length / 4) : rows);
    desk.answers.append(...options.map((option) => (
      this.option(option, !words && isWord(option.label) ? "wide" : "")
    )));
  }
}

export class RowLayout extends Layout {
  constructor(desk) {
    super(desk);
    const { options } = desk.trial;
    desk.style("--narrow-rows", Math.ceil(options.length / 2));
    desk.style("--wide-rows", Math.ceil(options.length / 3));
    desk.answers.classList.toggle("many", options.length > 2);
    desk.answers.append(...options.map((option) => this.option(option)));
  }
}
