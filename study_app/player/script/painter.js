// Paints a stimulus on a canvas of device pixels: every stimulus pixel becomes a k x k square, by
// replication, so that no browser ever smooths it. What was painted is read back and compared.

class Painter {
  #stage;
  #frame;
  #pixels = null;
  #redraws = 0;
  #display = null;

  /** stage: the element whose inner size limits the picture; frame: where the canvas goes. */
  constructor(stage, frame) {
    this.#stage = stage;
    this.#frame = frame;
  }

  /** How the picture is shown now: {css_px, device_pixel_ratio, upscale_factor, …, rendering}. */
  get display() {
    return { ...this.#display, window_w: window.innerWidth, window_h: window.innerHeight };
  }

  /** How often the picture has been painted anew since it was first shown. */
  get redraws() { return this.#redraws; }

  /** Shows new pixels, in this animation frame. */
  show(pixels) {
    this.#pixels = pixels;
    this.#redraws = 0;
    this.#paint();
  }

  clear() {
    this.#pixels = null;
    this.#frame.replaceChildren();
  }

  /** Paints again if the window or its pixel ratio now asks for another size. */
  refresh() {
    if (!this.#pixels) return;
    const { upscale_factor: scale, device_pixel_ratio: ratio } = this.#display;
    if (ratio === window.devicePixelRatio && scale === this.#scale(ratio)) {
      this.#align();
      return;
    }
    this.#redraws += 1;
    this.#paint();
  }

  #scale(ratio) {
    const { width, height } = this.#pixels;
    const { clientWidth, clientHeight } = this.#stage;
    const room = Math.min((clientWidth * ratio) / width, (clientHeight * ratio) / height);
    return Math.max(1, Math.floor(room));
  }

  #paint() {
    const ratio = window.devicePixelRatio;
    const scale = this.#scale(ratio);
    const { width, height, words } = this.#pixels;
    const canvas = document.createElement("canvas");
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${canvas.width / ratio}px`;
    canvas.style.height = `${canvas.height / ratio}px`;
    const wanted = replicate(words, width, height, scale);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const bytes = new Uint8ClampedArray(wanted.buffer);
    context.putImageData(new ImageData(bytes, canvas.width, canvas.height), 0, 0);
    const seen = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const exact = new Uint32Array(seen.buffer).every((word, i) => word === wanted[i]);
    this.#display = {
      css_px: canvas.width / ratio,
      device_pixel_ratio: ratio,
      upscale_factor: scale,
      rendering: exact ? "exact" : "mismatch",
    };
    this.#frame.replaceChildren(canvas);
    this.#align();
  }

  /** Moves the canvas by less than a device pixel onto the grid of device pixels. */
  #align() {
    const canvas = this.#frame.firstElementChild;
    const ratio = window.devicePixelRatio;
    canvas.style.left = "0";
    canvas.style.top = "0";
    const { left, top } = canvas.getBoundingClientRect();
    canvas.style.left = `${Math.round(left * ratio) / ratio - left}px`;
    canvas.style.top = `${Math.round(top * ratio) / ratio - top}px`;
  }
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
