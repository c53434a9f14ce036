// Where Streamlit calls. It may call again on every rerun, and may take the component out and put
// it back when its connection is lost: one player goes on through all of that.

import { Flow } from "./flow.js";

const GONE_AFTER_MS = 1500;

/** @type {Flow | null} */
let flow = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let farewell;

/**
 * Shows the player. Returns what takes it off the page.
 * @param {import("./types").Mounting} mounting
 */
export default function mount({ data, parentElement }) {
  clearTimeout(farewell);
  if (flow === null || flow.study !== data.study) {
    flow?.stop();
    /** @type {any} */
    const template = parentElement.querySelector("#screens");
    const css = parentElement.querySelector("style")?.textContent ?? "";
    flow = new Flow(data, template, css);
    endConnection();
  }
  return () => {
    farewell = setTimeout(() => {
      flow?.stop();
      flow = null;
    }, GONE_AFTER_MS);
  };
}

/** Ends Streamlit's connection, which each open page would hold, by the message that it takes for
 * that: if the server closed it, Streamlit would connect anew for ever. Nobody hears it elsewhere.
 */
function endConnection() {
  window.postMessage(
    { stCommVersion: 1, type: "TERMINATE_WEBSOCKET_CONNECTION" },
    window.location.origin,
  );
}
