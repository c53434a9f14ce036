// Fetches the pictures of the next few presentations, checks every byte and decodes them.

import { fetchWithin } from "./api.js";
import { sha256Hex } from "./hash.js";
import { drawing } from "./painter.js";
import { backoffMs, orAbort, pause } from "./waiting.js";

const AHEAD = 10; // half a minute without network, for somebody quick
const IN_FLIGHT = 2;
const MAX_FAILURES = 5;
const PICTURE_TIMEOUT_MS = 20_000;

/**
 * Raw pixels of image bytes.
 * @returns {Promise<import("./types").Pixels>}
 */
async function decodePixels(bytes) {
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = drawing(canvas);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { width, height, data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width, height, words: new Uint32Array(data.buffer) };
}

/**
 * Fetches one picture. Rejects unless its bytes have the announced hash and size.
 * @param {import("./types").PictureAddress} image
 * @param {boolean} fresh  whether to go past the browser's cache
 * @param {AbortSignal} signal
 */
async function loadPicture(image, fresh, signal) {
  /** @type {RequestInit} */
  const options = { credentials: "omit", cache: fresh ? "reload" : "default" };
  const { response, content } = await fetchWithin(
    PICTURE_TIMEOUT_MS, image.url, options, signal, (reply) => reply.arrayBuffer(),
  );
  if (!response.ok) throw new Error(`picture: status ${response.status}`);
  const bytes = new Uint8Array(content);
  if ((await sha256Hex(bytes)) !== image.sha256) throw new Error("picture: hash differs");
  const pixels = await decodePixels(bytes);
  if (pixels.width !== image.width || pixels.height !== image.height) {
    throw new Error("picture: size differs");
  }
  return pixels;
}

/**
 * @typedef {object} Entry  the pictures of one presentation
 * @property {import("./types").PictureAddress[]} images
 * @property {import("./types").Pixels[]} loaded  as far as they are here
 * @property {number} failures
 * @property {"queued" | "loading" | "waiting" | "ready" | "failed"} state
 * @property {import("./types").Pixels[] | null} pixels  of all of them
 * @property {((pixels: import("./types").Pixels[] | null) => void)[]} waiters
 */

/** The pictures of the presentations that come next. */
export class Pictures {
  /** @type {Map<string, Entry>} */
  #entries = new Map(); // by presentation_id
  /** @type {AbortController | null} */
  #run = null;

  /** Fetches what is wanted, until `stop`. */
  start() { this.#run = new AbortController(); }

  stop() {
    this.#run?.abort();
    this.#run = null;
    this.#entries.clear();
  }

  /**
   * The presentations wanted next, in order; those no longer wanted are forgotten.
   * @param {import("./types").Trial[]} trials
   */
  want(trials) {
    const wanted = new Map();
    for (const trial of trials) {
      if (wanted.size < AHEAD || wanted.has(trial.presentation_id)) {
        wanted.set(trial.presentation_id, trial.images);
      }
    }
    for (const id of this.#entries.keys()) if (!wanted.has(id)) this.#entries.delete(id);
    for (const [id, images] of wanted) {
      if (this.#entries.has(id)) continue;
      this.#entries.set(id, {
        images, loaded: [], failures: 0, state: "queued", pixels: null, waiters: [],
      });
    }
    this.#pump();
  }

  /** The pixels of a wanted presentation's pictures, at once if they are here, else undefined. */
  ready(presentationId) {
    return this.#entries.get(presentationId)?.pixels ?? undefined;
  }

  /** Resolves with the pixels, or with null when loading has failed five times. */
  get(presentationId, signal) {
    const entry = this.#entries.get(presentationId);
    if (!entry || entry.state === "failed") return Promise.resolve(null);
    if (entry.pixels) return Promise.resolve(entry.pixels);
    return orAbort(new Promise((resolve) => { entry.waiters.push(resolve); }), signal);
  }

  /** Lets failed pictures be loaded again. */
  retry() {
    for (const entry of this.#entries.values()) {
      if (entry.state === "failed") Object.assign(entry, { state: "queued", failures: 0 });
    }
    this.#pump();
  }

  #pump() {
    if (!this.#run) return;
    const entries = [...this.#entries.values()];
    let free = IN_FLIGHT - entries.filter((entry) => entry.state === "loading").length;
    for (const entry of entries) {
      if (free > 0 && entry.state === "queued") {
        free -= 1;
        this.#load(entry, this.#run.signal);
      }
    }
  }

  async #load(entry, signal) {
    entry.state = "loading";
    try {
      for (const [place, image] of entry.images.entries()) {
        // A wrong picture may sit in the browser's cache: repeat past it.
        entry.loaded[place] ??= await loadPicture(image, entry.failures > 0, signal);
      }
      entry.pixels = entry.loaded;
      entry.state = "ready";
      entry.waiters.splice(0).forEach((resolve) => resolve(entry.pixels));
    } catch {
      if (signal.aborted) return;
      entry.failures += 1;
      if (entry.failures >= MAX_FAILURES) {
        entry.state = "failed";
        entry.waiters.splice(0).forEach((resolve) => resolve(null));
      } else {
        entry.state = "waiting";
        pause(backoffMs(entry.failures), signal).then(() => {
          entry.state = "queued";
          this.#pump();
        }, () => {});
      }
    }
    this.#pump();
  }
}
