// grid: labels in a fixed order, short ones as key caps, words in columns; or in rows of so many as
// the question says. row: a few answers side by side.

import { Layout, isWord } from "./layout.js";

export class GridLayout extends Layout {
  static needs(trial) {
    const { options } = trial;
    const base = super.needs(trial);
    const { words, columns, short } = arrangement(trial);
    const rows = trial.columns ? Math.ceil(options.length / columns)
      : Math.ceil(short / columns) + options.length - short;
    if (!words || trial.columns) return { ...base, narrow: rows, wide: rows };
    return {
      ...base, narrow: Math.ceil(options.length / 2), wide: Math.ceil(options.length / 4),
    };
  }

  constructor(desk) {
    super(desk);
    const { options } = desk.trial;
    const { words, columns } = arrangement(desk.trial);
    desk.answers.classList.add(words ? "words" : "caps");
    if (!words || desk.trial.columns) desk.style("--columns", columns);
    desk.answers.append(...options.map((option) => (
      this.option(option, !words && isWord(option.label) ? "wide" : "")
    )));
  }
}

/** Whether the labels are words, how many are not, and how many stand side by side. */
function arrangement({ options, columns }) {
  const short = options.filter(({ label }) => !isWord(label)).length;
  return {
    words: Boolean(columns) || short < options.length / 2,
    columns: columns ?? (short > 10 ? 6 : 5),
    short,
  };
}

export class RowLayout extends Layout {
  static needs(trial) {
    const n = trial.options.length;
    // Two are twice as high as others.
    return {
      ...super.needs(trial), narrow: Math.ceil(n / 2), wide: Math.ceil(n / 3), more: n > 2 ? 0 : 1,
    };
  }

  constructor(desk) {
    super(desk);
    const { options } = desk.trial;
    desk.answers.classList.toggle("many", options.length > 2);
    desk.answers.append(...options.map((option) => this.option(option)));
  }
}
