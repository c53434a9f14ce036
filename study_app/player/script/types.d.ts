// The shapes of what travels: between the page and the player, the server and the player, and one
// script and another. Nothing of this file reaches the browser.

import type { Activities } from "./activities.js";
import type { Host } from "./host.js";
import type { Outbox } from "./outbox.js";
import type { Pictures } from "./pictures.js";
import type { Question } from "./question.js";
import type { Screens } from "./screens.js";
import type { Store } from "./store.js";
import type { FrameClock } from "./timing.js";

/** The player's sentences by key, in one language. */
export type Strings = Record<string, string>;

/** The sentence of a key with its {braces} filled in; `speak` changes the language. */
export interface Translator {
  (key: string, values?: Record<string, string | number | null>): string;
  speak(strings: Strings): void;
}

/** A study and the player in one language. */
export interface Words {
  title: string;
  consent_html: string;
  consent_sha256: string;
  instructions_html: string;
  ui: Strings;
}

/** What the page hands over, before consent: see given.py. `Words` are in `language`. */
export interface PlayerData extends Words {
  status: "open" | "closed" | "unknown";
  study: string;
  language: string;
  languages: string[];
  provider: { name: string; id: string | null; session: string | null };
  /** Why whoever has this link cannot take part, as far as it is known; null: nothing is known. */
  refusal: Refusal | null;
  /** Whether the device belongs to everybody: it forgets people when they are done. */
  shared_device: boolean;
  wordings: Record<string, Words>;
}

/** What Streamlit calls the player with, and the loader after it. */
export interface Mounting {
  data: PlayerData;
  parentElement: ParentNode;
}

// --- from the server -------------------------------------------------------------------------------

/** The reply to a request. Status 0: no answer came. */
export interface Reply {
  status: number;
  /** JSON; its shape is the route's, see docs/http.md. */
  body: any;
  retryMs: number;
}

export interface Option {
  value: string;
  label: string;
  /** The answer key; "" or missing: none. */
  key?: string;
}

/** One picture of a presentation. */
export interface PictureAddress {
  url: string;
  sha256: string;
  width: number;
  height: number;
}

/** A question as the server sends it: what the browser may know of a trial. */
export interface Trial {
  trial_id: string;
  position: number;
  presentation_id: string;
  presentation: number;
  phase: "practice" | "main";
  block: number;
  images: PictureAddress[];
  task: string;
  prompt: string;
  layout: string;
  options: Option[];
  /** Under the pictures, in their order. */
  captions?: string[];
  note?: string;
  /** For so long the pictures are shown; 0: not at all; missing: until the answer. */
  exposure_ms?: number;
  /** In this time an answer counts; missing: whenever it comes. */
  response_window_ms?: number;
  /** By which rules the pictures are sized: see docs/player.md; missing: 1. */
  picture_sizes?: number;
  // what single layouts need
  columns?: number;
  ends?: string[];
  cells?: number;
  max_length?: number;
  required?: boolean;
  items?: Item[];
}

/** What is said about an answer in practice. */
export interface Feedback {
  correct: boolean;
  text: string;
}

/** One item of a form. */
export interface Item {
  name: string;
  kind: "number" | "text" | "choice" | "choices" | "scale";
  prompt: string;
  options: Option[];
  low: number | null;
  high: number | null;
  max_length: number;
  required: boolean;
}

/** A form that has to be filled in now. */
export interface DueForm {
  form: "screening" | "comprehension" | "demographics";
  items: Item[];
  device: DeviceRule | null;
  calibration: boolean;
  attempt: number;
  attempts: number;
}

/** What screening wants of the device. */
export interface DeviceRule {
  min_width?: number | null;
  min_height?: number | null;
  pointer?: "any" | "mouse" | "touch";
}

/** The last page: the study's words, the provider's code and the address to go back to. */
export interface LastPage {
  html: string;
  code: string | null;
  redirect: string | null;
}

/** A route's error. */
export interface Refusal {
  error: string;
  reason?: string;
}

// --- to the server ---------------------------------------------------------------------------------

/** How a question was shown and answered: milliseconds on the clock of performance.now. */
export interface Timing {
  onset_ms: number;
  response_ms: number | null;
  first_ms: number | null;
  rt_source: "event" | null;
  exposure_ms: number | null;
  shown_n: number;
  frame_ms: number;
  onset_error_ms: number;
  hidden_ms: number;
  focus_lost_n: number;
  redraw_n: number;
  refused_n: number;
  /** null: this browser does not tell. */
  frozen_ms: number | null;
  stalled_ms: number;
  pixel_ratio_changes: number;
  input: InputKind | null;
  started_utc: string;
}

export type InputKind = "key" | "touch" | "mouse";

/** How the pictures were shown. */
export interface Display {
  css_px: number;
  device_pixel_ratio: number;
  upscale_factor: number;
  rendering: "exact" | "mismatch";
  color_scheme: "light" | "dark";
  forced_colors: boolean;
  contrast: "no-preference" | "more" | "less" | "custom";
  /** Whether the words of the question were not those that were sent. */
  translated: boolean;
  window_w: number;
  window_h: number;
}

/** An answer as a question gives it. */
export interface Answer {
  answer: string;
  /** null: nobody answered within the time. */
  rt_ms: number | null;
  timing: Timing;
  display: Display;
}

/** An answer on its way to the server. */
export interface OutboxEntry {
  token: string;
  position: number;
  /** Milliseconds since 1970. */
  since: number;
  body: Answer & { event_id: string; trial_id: string; attempt: number };
}

/** Who hears what becomes of answers: see Outbox. */
export interface OutboxListener {
  acknowledged(entry: OutboxEntry, body: any): void;
  locked(entry: OutboxEntry): void;
  refused(entry: OutboxEntry): void;
  /** The server takes no answers of this participant any more. */
  over(): void;
  unauthorised(): void;
  /** true when an answer has been on its way for long. */
  waiting(late: boolean): void;
}

// --- within the player -----------------------------------------------------------------------------

/** Raw pixels of one picture, one 32-bit RGBA word per pixel. */
export interface Pixels {
  width: number;
  height: number;
  words: Uint32Array<ArrayBuffer>;
}

/** Where one picture is shown. */
export interface Place {
  figure: HTMLElement;
  frame: HTMLElement;
  picture: HTMLElement;
  caption: HTMLElement;
  under: HTMLElement;
}

/** One press of a key, button or finger; the gate notes in `refused` what it decided. */
export interface Press {
  began: number;
  bounced: boolean;
  x: number;
  y: number;
  refused?: boolean;
}

/** An event that may be part of a press. */
export type PressEvent = KeyboardEvent | PointerEvent | MouseEvent;

/** What the controls of a question take of the window. */
export interface Needs {
  /** Rows of buttons in a narrow and in a wide window. */
  narrow: number;
  wide: number;
  /** What comes to them, as a number of such rows. */
  more: number;
  /** Whether there is a button under each picture. */
  under: boolean;
  /** Width of the controls where they stand beside the pictures, in rem. */
  beside: number;
}

/** A whole cell of a picture. */
export interface Cell {
  x: number;
  y: number;
}

/** What a question lends to its layout. */
export interface Desk {
  /** The view that the server sent. */
  trial: Trial;
  /** The pictures in order. */
  places: Place[];
  /** The element for the controls. */
  answers: HTMLElement;
  /** Tells the style sheet. */
  style(name: string, value: string | number): void;
  /** Of the first picture, in its own pixels. */
  size: { width: number; height: number };
  t: Translator;
  /** What was kept before a refresh, or null. */
  draft: any;
  keep(value: unknown): void;
  /** Whether a press may count: see InputGate; notes the first one. */
  admits(event: PressEvent): boolean;
  /** Whether a movement may count, as often as it comes; notes the first one. */
  follows(event: PressEvent): boolean;
  /** Something was entered in a field, where everything counts: notes the first. */
  touched(event: Event): void;
  /** Gives the answer and locks the question. */
  give(event: PressEvent, answer: string, button: HTMLElement): void;
  /** Listeners: see Host. */
  onPress(element: Element, act: (event: PointerEvent) => void): void;
  onPointer(element: Element, act: (event: PointerEvent) => void): void;
}

/** Where one goes from here: each begins something else, and ends what goes on. */
export interface Turns {
  /** From the beginning, as on a fresh page. */
  enter(): void;
  /** To where the server says. */
  resume(): void;
  /** The token is not valid any more. */
  invalid(): void;
}

/** What the stages of the way share. */
export interface Way {
  activities: Activities;
  host: Host;
  screens: Screens;
  store: Store;
  frames: FrameClock;
  pictures: Pictures;
  outbox: Outbox;
  question: Question;
  turn: Turns;
}
