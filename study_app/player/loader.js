// All that comes with the page: it fetches the player, one file that the browser keeps, and calls it.
// By its whole address, because this script itself has none: Streamlit makes it a blob, and in the
// light page it stands in the document.

const SCRIPT = "/player/script.js"; // the server puts the address here
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 15_000;

/** What is shown while the player cannot be loaded. @type {Set<HTMLElement>} */
const notes = new Set();
/** @type {Promise<{default: (mounting: import("./script/types").Mounting) => () => void}> | null} */
let player = null; // one for all calls, or there would be two players

/**
 * Shows the player as soon as it is here. Returns what takes it off the page.
 * @param {import("./script/types").Mounting} mounting
 */
export default function mount(mounting) {
  let gone = false;
  /** @type {(() => void) | null} */
  let leave = null;
  const note = makeNote(mounting.data.ui);
  notes.add(note);
  mounting.parentElement.append(note);
  const forget = () => {
    notes.delete(note);
    note.remove();
  };
  player ??= load();
  player.then((script) => {
    forget();
    forgetFirst();
    if (!gone) leave = script.default(mounting);
  });
  return () => {
    gone = true;
    forget();
    leave?.();
  };
}

/** Tries until it comes: without network, or after an upgrade while other servers are old. */
async function load() {
  for (let failures = 0; ; failures += 1) {
    try {
      // A browser may remember that an address failed, so each attempt has its own.
      const attempt = failures ? `?${failures}` : "";
      return await import(`${window.location.origin}${SCRIPT}${attempt}`);
    } catch {
      forgetFirst();
      for (const note of notes) note.hidden = false;
      await pause(Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures));
    }
  }
}

/** Takes away what the light page says before anything else. */
function forgetFirst() {
  document.querySelector("#player > .first")?.remove();
}

/** Waits; ends early when the network comes back. */
function pause(ms) {
  return new Promise((resolve) => {
    window.addEventListener("online", resolve, { once: true });
    setTimeout(resolve, ms);
  });
}

/** A page that says that it takes longer; if the server was upgraded, the page is old and only a new
 * one helps. */
function makeNote(ui) {
  const note = document.createElement("main");
  note.hidden = true;
  const page = document.createElement("section");
  page.className = "page calm shown";
  const sentence = document.createElement("p");
  sentence.setAttribute("role", "status");
  sentence.textContent = ui.waiting_server;
  const actions = document.createElement("div");
  actions.className = "actions";
  const link = document.createElement("a");
  link.className = "primary";
  link.href = window.location.href;
  link.textContent = ui.reload_page;
  link.addEventListener("click", (event) => {
    event.preventDefault(); // a personal link has a fragment: following it would load nothing
    window.location.reload();
  });
  actions.append(link);
  page.append(sentence, actions);
  note.append(page);
  return note;
}

// The light page has what Streamlit hands over in its document, and nobody else who would call.
const page = document.querySelector("template#light-page");
const handed = document.getElementById("player-data");
if (page instanceof HTMLTemplateElement && handed?.textContent) {
  const root = /** @type {Element} */ (page.previousElementSibling).attachShadow({ mode: "open" });
  root.append(page.content);
  mount({ data: JSON.parse(handed.textContent), parentElement: root });
}
