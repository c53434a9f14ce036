// However it ends: refused at the door, screened out, done, withdrawn.

import { patiently, request } from "./api.js";

/** The title of the page for each refusal of the server that is final for now. */
export const REFUSALS = {
  full: "full_title", not_invited: "not_invited_title", closed: "closed_title",
};
const WHAT_HELPS = { // by the reason of a refusal, else by the refusal itself
  full: "full_text",
  closed: "closed_text",
  not_invited: "not_invited_text",
  no_invitation: "no_invitation_text",
  invitation: "invitation_text",
  used_invitation: "used_invitation_text",
  no_prolific_id: "no_prolific_id_text",
  no_sona_code: "no_sona_code_text",
  other_person: "other_person_text",
  doubled_id: "doubled_id_text",
};
const OVER = ["returned", "timed_out"]; // no further answers are taken, those given stay

/** Whether a participant in this state has given all answers that will ever be taken of them. */
export function isOver(state) { return OVER.includes(state); }

/** The pages that are the last. */
export class Ending {
  /** @type {import("./types").Way} */
  #way;

  /** @param {import("./types").Way} way */
  constructor(way) { this.#way = way; }

  /**
   * Who cannot take part, and what helps.
   * @param {import("./types").Refusal} refusal
   */
  turnedAway({ error, reason }) {
    const { screens, store } = this.#way;
    if (store.token) store.end();
    screens.refused(REFUSALS[error], WHAT_HELPS[reason ?? error] ?? WHAT_HELPS[error]);
    // Who has agreed already may want to have that deleted.
    screens.show("refused", { menu: Boolean(store.token) });
  }

  /** The participant does not agree. */
  declined() {
    const { screens, store } = this.#way;
    if (store.shared) store.clear();
    screens.show("declined");
  }

  /** The participation was given back, or the study closed meanwhile. */
  over() {
    const { outbox, screens, store } = this.#way;
    outbox.forget();
    store.end();
    screens.show("over", { menu: true });
  }

  /** The token belongs to nobody. */
  invalid() {
    const { question, screens } = this.#way;
    question.clear();
    screens.show("invalid");
  }

  /** @param {import("./types").LastPage} debrief */
  debrief(debrief) {
    const { screens, store } = this.#way;
    store.end();
    screens.lastPage(debrief, { saved: true, forgotten: store.shared });
    screens.show("debrief", { menu: true });
  }

  /**
   * The end for somebody who was screened out or did not pass the check.
   * @param {import("./types").LastPage} ending
   */
  ended(ending) {
    const { screens, store } = this.#way;
    store.end();
    screens.lastPage(ending, { saved: false, forgotten: store.shared });
    screens.show("ended", { menu: true });
  }

  /**
   * The participant withdraws.
   * @param {(words: string) => void} note  says how it goes, where the participant looks
   * @param {import("./types").Translator} t
   */
  async withdraw(note, t) {
    const { activities, screens, store, turn } = this.#way;
    const { signal } = activities;
    const send = () => request("POST", "/api/withdraw", { token: store.token, body: {}, signal });
    const reply = await patiently(send, signal, (waiting) => {
      note(waiting ? t("waiting_server") : "");
    });
    if (reply.status === 200) {
      activities.begin(async () => {
        store.clear();
        screens.show("withdrawn");
      });
    } else if (reply.status === 401) {
      turn.invalid();
    } else {
      note(t("server_refused"));
    }
  }
}
