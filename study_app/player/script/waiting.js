// Waiting that ends when its activity does, and how long to wait before trying again.

const BACKOFF_FIRST_MS = 500;
/** The longest pause between two attempts. */
export const BACKOFF_LAST_MS = 15_000;

/** Milliseconds before attempt n + 1: doubling, at most 15 s, half of it random. */
export function backoffMs(failures) {
  const full = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** Math.max(0, failures - 1));
  return full * (0.5 + 0.5 * Math.random());
}

/**
 * Waits; ends early when the network comes back. Rejects when the signal aborts.
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle, value = undefined) => {
      clearTimeout(timer);
      window.removeEventListener("online", wake);
      signal?.removeEventListener("abort", abort);
      settle(value);
    };
    const wake = () => end(resolve);
    const abort = () => end(reject, signal?.reason);
    const timer = setTimeout(wake, ms);
    window.addEventListener("online", wake);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
  });
}

/**
 * The promise, or a rejection as soon as the signal aborts.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
export function orAbort(promise, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    // The signal outlives the promise by far: what it no longer needs to tell is taken off it.
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
