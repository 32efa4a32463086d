import { printable } from './report/text';
import type { Host } from './host';

/** Nothing is shown of what is done sooner. */
const QUIET_MS = 1000;
/** At most ten times a second. */
const INTERVAL_MS = 100;

/** `\r`, and erase to the end of the line. */
const CLEAR = '\r\u001b[K';

/**
 * One line on standard error, rewritten in place, that says how far a longer job is; none where
 * standard error is no terminal.
 */
export class Progress {
  readonly #host: Host;
  readonly #started: number;
  #shownAt: number;
  #isShown = false;

  constructor(host: Host) {
    this.#host = host;
    this.#started = host.now();
    this.#shownAt = this.#started - INTERVAL_MS;
  }

  /** What is being done, and how many of how many are. */
  show(what: string, done: number, total: number): void {
    const { err } = this.#host;
    const now = this.#host.now();
    const isSoon = now - this.#started < QUIET_MS || now - this.#shownAt < INTERVAL_MS;
    if (!err.isTerminal || isSoon) return;
    this.#shownAt = now;
    this.#isShown = true;
    const percent = total === 0 ? 0 : Math.floor((100 * done) / total);
    const line = printable(`${String(percent).padStart(3)}%  ${done}/${total}  ${what}`);
    err.write(CLEAR + line.slice(0, (err.columns ?? 80) - 1));
  }

  /** Takes the line away. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#host.err.write(CLEAR);
  }
}
