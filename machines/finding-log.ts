import type { FindingSink, RawFinding } from '../drivers/base/types/finding';

/** A finding, and how often it was made. */
export interface CountedFinding extends RawFinding {
  readonly count: number;
}

/** Findings that are kept between two takes; more are counted only. */
const MAX_FINDINGS = 1000;

/**
 * The findings of a machine, each once: those of one rule at one place of the driver, of one
 * device, are one finding, made so many times; the first is kept. Messages of dma-debug are told
 * apart by their words.
 */
export class FindingLog implements FindingSink {
  readonly #findings = new Map<string, { readonly finding: RawFinding; count: number }>();
  #dropped = 0;

  /** Different findings since the last take. */
  get size(): number {
    return this.#findings.size;
  }

  /** How many findings beyond those that are kept were made since the last take. */
  get dropped(): number {
    return this.#dropped;
  }

  report(finding: RawFinding): void {
    const key = keyOf(finding);
    const known = this.#findings.get(key);
    if (known !== undefined) known.count++;
    else if (this.#findings.size < MAX_FINDINGS) this.#findings.set(key, { finding, count: 1 });
    else this.#dropped++;
  }

  /** What was found since the last take, in the order in which each was first. */
  take(): readonly CountedFinding[] {
    const taken = [...this.#findings.values()].map(({ finding, count }) => ({ ...finding, count }));
    this.#findings.clear();
    this.#dropped = 0;
    return taken;
  }
}

const keyOf = ({ rule, access: { at, kind }, device }: RawFinding): string =>
  [rule, at, device, rule === 'dma-debug' ? wordsOf(kind) : ''].join('|');

/** A message without its numbers: a loop has other addresses each time. */
const wordsOf = (message: string): string => message.replaceAll(/0x[0-9a-f]+|\d+/g, '#');
