// survey: the items of a form, answered together.

import { Form } from "../form.js";
import { Layout } from "./layout.js";

export class SurveyLayout extends Layout {
  static needs() { return { narrow: 4.5, wide: 4.5, more: 0, under: false, beside: 15 }; }

  constructor(desk) {
    super(desk);
    const form = new Form(desk.trial.items, desk, desk.draft ?? {});
    form.element.addEventListener("input", (event) => {
      desk.touched(event);
      desk.keep(form.draft);
    });
    const confirm = this.button(desk.t("confirm"), "", (event, button) => {
      if (form.check()) desk.give(event, JSON.stringify(form.answers), button);
    }, "primary confirm");
    confirm.type = "submit";
    form.element.append(confirm);
    desk.answers.append(form.element);
  }
}
