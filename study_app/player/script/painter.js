// Paints stimuli on canvases of device pixels: every stimulus pixel becomes a k x k square, by
// replication, so that no browser ever smooths it. What was painted is read back and compared. All
// that may wait, or be done ahead, is left to idle moments: on a phone it is longer than a frame.

const SLICE_PIXELS = 32_768; // 2 ms on a slow phone
const SPARES = 12; // two presentations of six
const IDLE_WITHIN_MS = 30; // where the browser is never idle
const CONTRASTS = /** @type {const} */ (["more", "less", "custom"]);

/** @type {Map<string, MediaQueryList>} */
const queries = new Map();

/**
 * @typedef {object} Shown  one picture on the screen
 * @property {import("./types").Pixels} pixels
 * @property {HTMLElement} frame
 * @property {HTMLElement} picture
 * @property {HTMLCanvasElement} canvas
 * @property {number} scale  device pixels for each of its pixels, in both directions
 * @property {ImageData} image  what was painted
 * @property {number} read  rows of the canvas that have been read back
 * @property {boolean} exact  whether all that was read back is what was painted
 */

/**
 * @typedef {object} Enlarged  a picture as it will be painted
 * @property {HTMLCanvasElement} canvas
 * @property {ImageData} image  what was put on it
 * @property {number} scale
 */

/** The pictures of the moment. */
export class Painter {
  /** @type {Shown[]} */
  #shown = [];
  /** @type {WeakMap<import("./types").Pixels, Enlarged>} */
  #ahead = new WeakMap();
  /** @type {Enlarged[]} */
  #spare = []; // off the screen; new ones for every picture would soon be a long task to collect
  #ratio = 1;
  #redraws = 0;

  /**
   * How the pictures are shown now, by the facts that db/measured.py declares; lengths are those of
   * the picture at place 0.
   * @returns {Omit<import("./types").Display, "translated">}
   */
  get display() {
    while (this.#readSlice()) { /* whatever has not been read back yet */ }
    const [first] = this.#shown;
    return {
      css_px: first.canvas.width / this.#ratio,
      device_pixel_ratio: this.#ratio,
      upscale_factor: first.scale,
      rendering: this.#shown.every(({ exact }) => exact) ? "exact" : "mismatch",
      window_w: window.innerWidth,
      window_h: window.innerHeight,
      color_scheme: wants("(prefers-color-scheme: dark)") ? "dark" : "light",
      forced_colors: wants("(forced-colors: active)"),
      contrast: CONTRASTS.find((how) => wants(`(prefers-contrast: ${how})`)) ?? "no-preference",
    };
  }

  /** How often the pictures have been painted anew since the question was shown. */
  get redraws() { return this.#redraws; }

  /**
   * Shows the pixels of a presentation, in this animation frame, one in each place.
   * @param {import("./types").Pixels[]} pixels
   * @param {import("./types").Place[]} places
   */
  show(pixels, places) {
    this.#shown = pixels.map((own, k) => ({
      pixels: own,
      frame: places[k].frame,
      picture: places[k].picture,
      canvas: document.createElement("canvas"),
      scale: 0,
      image: new ImageData(1, 1),
      read: 0,
      exact: true,
    }));
    this.#paint();
    this.#redraws = 0;
  }

  /**
   * Whenever the browser is idle, reads back what is on the screen, then enlarges the pictures that
   * come next, if they are here and will be as large as these.
   * @param {AbortSignal} signal  ends it: who needs to know sooner asks for `display`
   * @param {() => void} seen  called when all was read back
   * @param {() => import("./types").Pixels[] | undefined} [next]
   */
  whileIdle(signal, seen, next) {
    const prepare = () => {
      if (!signal.aborted && this.#enlargeAhead(next?.())) whenIdle(prepare);
    };
    const read = () => {
      if (signal.aborted) return;
      if (this.#readSlice()) whenIdle(read);
      else {
        seen();
        whenIdle(prepare);
      }
    };
    whenIdle(read);
  }

  /** Another question on the same pictures begins: they keep their place in its layout. */
  settle() {
    this.refresh();
    this.#redraws = 0;
  }

  /** Takes the pictures off the screen. */
  clear() {
    for (const shown of this.#shown) this.#put(shown);
    this.#shown = [];
  }

  /** Paints again if the window or its pixel ratio now asks for another size. */
  refresh() {
    if (!this.#shown.length) return;
    const scales = this.#scales(window.devicePixelRatio);
    const same = this.#shown.every(({ scale }, k) => scale === scales[k]);
    if (same && this.#ratio === window.devicePixelRatio) {
      this.#align();
      return;
    }
    this.#redraws += 1;
    this.#paint();
  }

  /** The largest whole factors that fit; pictures of one size have one factor. */
  #scales(ratio) {
    for (const { frame } of this.#shown) frame.style.minWidth = frame.style.minHeight = "";
    const room = this.#shown.map(({ frame, pixels: { width, height } }) => (
      Math.min((frame.clientWidth * ratio) / width, (frame.clientHeight * ratio) / height)
    ));
    const bySize = new Map();
    this.#shown.forEach(({ pixels: { width, height } }, k) => {
      const size = `${width}x${height}`;
      bySize.set(size, Math.min(bySize.get(size) ?? Infinity, room[k]));
    });
    return this.#shown.map(({ pixels: { width, height } }) => (
      Math.max(1, Math.floor(bySize.get(`${width}x${height}`)))
    ));
  }

  #paint() {
    this.#ratio = window.devicePixelRatio;
    const scales = this.#scales(this.#ratio);
    this.#shown.forEach((shown, k) => this.#paintOne(shown, scales[k]));
    this.#align();
  }

  #paintOne(shown, scale) {
    const ahead = this.#ahead.get(shown.pixels);
    this.#ahead.delete(shown.pixels); // a canvas can be in one place only
    const enlarged = ahead && ahead.scale === scale ? ahead
      : this.#enlarge(shown.pixels, scale);
    const { canvas } = enlarged;
    canvas.style.width = `${canvas.width / this.#ratio}px`;
    canvas.style.height = `${canvas.height / this.#ratio}px`;
    if (shown.scale) this.#put(shown);
    shown.picture.prepend(canvas);
    Object.assign(shown, enlarged, { read: 0, exact: true });
  }

  /** Enlarges one picture. Returns whether there was one. */
  #enlargeAhead(pixels = []) {
    for (const own of pixels) {
      const like = this.#shown.find(({ pixels: { width, height } }) => (
        width === own.width && height === own.height
      ));
      if (!like || this.#ahead.get(own)?.scale === like.scale) continue;
      this.#ahead.set(own, this.#enlarge(own, like.scale));
      return true;
    }
    return false;
  }

  /**
   * A picture on a canvas, enlarged by a whole factor.
   * @param {import("./types").Pixels} pixels
   * @param {number} scale
   * @returns {Enlarged}
   */
  #enlarge({ width, height, words }, scale) {
    const [wide, high] = [width * scale, height * scale];
    const place = this.#spare.findIndex(({ image }) => image.width === wide && image.height === high);
    const [spare] = place < 0 ? [] : this.#spare.splice(place, 1);
    const { canvas, image } = spare ?? blank(wide, high);
    replicate(words, width, height, scale, new Uint32Array(image.data.buffer));
    drawing(canvas).putImageData(image, 0, 0);
    return { canvas, image, scale };
  }

  /** Takes a picture off the screen. */
  #put({ canvas, image, scale }) {
    canvas.remove();
    this.#spare = [{ canvas, image, scale }, ...this.#spare].slice(0, SPARES);
  }

  /** Reads one slice back. Returns whether there was one. */
  #readSlice() {
    const shown = this.#shown.find(({ canvas, read }) => read < canvas.height);
    if (!shown) return false;
    const { canvas, image: { width, height, data }, read } = shown;
    const rows = Math.min(height - read, Math.max(1, Math.floor(SLICE_PIXELS / width)));
    const seen = drawing(canvas).getImageData(0, read, width, rows).data;
    const wanted = new Uint32Array(data.buffer, 4 * width * read, width * rows);
    shown.exact &&= areSame(wanted, new Uint32Array(seen.buffer));
    shown.read += rows;
    return true;
  }

  /** Moves every canvas by less than a device pixel onto the grid of device pixels. */
  #align() {
    const ratio = this.#ratio;
    for (const { canvas, frame, scale } of this.#shown) {
      // A picture that may be larger than its frame even one to one makes room for itself.
      if (scale === 1) {
        frame.style.minWidth = canvas.style.width;
        frame.style.minHeight = canvas.style.height;
      }
      canvas.style.left = canvas.style.top = "0";
    }
    for (const { canvas } of this.#shown) {
      const { left, top } = canvas.getBoundingClientRect();
      canvas.style.left = `${Math.round(left * ratio) / ratio - left}px`;
      canvas.style.top = `${Math.round(top * ratio) / ratio - top}px`;
    }
  }
}

/** What draws on a canvas whose pixels are read back. */
export function drawing(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no drawing on a canvas in this browser");
  return context;
}

/** An empty canvas, and the image to put on it. */
function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return { canvas, image: new ImageData(width, height) };
}

/** Whether two arrays of one length hold the same. */
function areSame(some, others) {
  // A call for every pixel would take twenty times as long.
  for (let i = 0; i < some.length; i += 1) if (some[i] !== others[i]) return false;
  return true;
}

/** Whether the system asks for something. A query is made once: making it takes a millisecond. */
function wants(query) {
  const known = queries.get(query) ?? window.matchMedia(query);
  queries.set(query, known);
  return known.matches;
}

/** Calls `act` in a moment in which there is nothing better to do. */
function whenIdle(act) {
  if (window.requestIdleCallback) window.requestIdleCallback(act, { timeout: IDLE_WITHIN_MS });
  else setTimeout(act);
}

/** Writes the image, enlarged by a whole factor, into `out`: every pixel copied into a square. */
function replicate(words, width, height, scale, out) {
  const wide = width * scale;
  for (let y = 0; y < height; y += 1) {
    const row = y * scale * wide;
    for (let x = 0; x < width; x += 1) {
      out.fill(words[y * width + x], row + x * scale, row + (x + 1) * scale);
    }
    for (let copy = 1; copy < scale; copy += 1) {
      out.copyWithin(row + copy * wide, row, row + wide);
    }
  }
}
