// Paints stimuli on canvases of device pixels: every stimulus pixel becomes a k x k square, by
// replication, so that no browser ever smooths it. What was painted is read back and compared.

/**
 * @typedef {object} Shown  one picture on the screen
 * @property {import("./types").Pixels} pixels
 * @property {HTMLElement} frame
 * @property {HTMLElement} picture
 * @property {HTMLCanvasElement} canvas
 * @property {number} scale  device pixels for each of its pixels, in both directions
 * @property {boolean} exact  whether what was read back is what was painted
 */

/** The pictures of the moment. */
export class Painter {
  /** @type {Shown[]} */
  #shown = [];
  #ratio = 1;
  #redraws = 0;

  /**
   * How the pictures are shown now, by the facts that db/measured.py declares; lengths are those of
   * the picture at place 0.
   * @returns {import("./types").Display}
   */
  get display() {
    const [first] = this.#shown;
    return {
      css_px: first.canvas.width / this.#ratio,
      device_pixel_ratio: this.#ratio,
      upscale_factor: first.scale,
      rendering: this.#shown.every(({ exact }) => exact) ? "exact" : "mismatch",
      window_w: window.innerWidth,
      window_h: window.innerHeight,
      color_scheme: window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
      forced_colors: window.matchMedia("(forced-colors: active)").matches,
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
      exact: false,
    }));
    this.#paint();
    this.#redraws = 0;
  }

  /** Another question on the same pictures begins: they keep their place in its layout. */
  settle() {
    this.refresh();
    this.#redraws = 0;
  }

  /** Takes the pictures off the screen. */
  clear() {
    for (const { canvas } of this.#shown) canvas.remove();
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
    const { width, height, words } = shown.pixels;
    const canvas = document.createElement("canvas");
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${canvas.width / this.#ratio}px`;
    canvas.style.height = `${canvas.height / this.#ratio}px`;
    const wanted = replicate(words, width, height, scale);
    const context = drawing(canvas);
    const bytes = new Uint8ClampedArray(wanted.buffer);
    context.putImageData(new ImageData(bytes, canvas.width, canvas.height), 0, 0);
    const seen = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const exact = new Uint32Array(seen.buffer).every((word, i) => word === wanted[i]);
    shown.canvas.remove();
    shown.picture.prepend(canvas);
    Object.assign(shown, { canvas, scale, exact });
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

/** The image enlarged by a whole factor, every pixel copied into a square. */
function replicate(words, width, height, scale) {
  const wide = width * scale;
  const out = new Uint32Array(wide * height * scale);
  for (let y = 0; y < height; y += 1) {
    const row = y * scale * wide;
    for (let x = 0; x < width; x += 1) {
      out.fill(words[y * width + x], row + x * scale, row + (x + 1) * scale);
    }
    for (let copy = 1; copy < scale; copy += 1) {
      out.copyWithin(row + copy * wide, row, row + wide);
    }
  }
  return out;
}
