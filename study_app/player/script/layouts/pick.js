// pictures: the pictures are the buttons; others, such as "no difference", stand below them.

import { Layout } from "./layout.js";

export class PickLayout extends Layout {
  static needs(trial) {
    const others = trial.options.length - trial.images.length;
    return { narrow: others, wide: others, more: 0, under: true, beside: others ? 10 : 0 };
  }

  constructor(desk) {
    super(desk);
    const { options } = desk.trial;
    desk.places.forEach(({ frame, under }, place) => {
      const button = this.option(options[place]);
      frame.classList.add("pressable");
      desk.onPress(frame, (event) => button.disabled || this.#pick(event, options[place], button));
      under.append(button);
    });
    const others = options.slice(desk.places.length);
    desk.answers.append(...others.map((option) => this.option(option)));
  }

  #pick(event, { value }, button) {
    if (this.desk.admits(event)) this.desk.give(event, value, button);
  }
}
