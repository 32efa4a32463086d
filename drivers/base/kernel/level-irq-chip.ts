import { InputError } from '../types/errors';
import { EINVAL } from './errno';
import { IrqType, type IrqChip, type IrqSpecifier } from './irq';

/** An InputError about the cells of an interrupt specifier. */
export const badSpecifier = (
  chip: string,
  expected: string,
  cells: readonly number[],
): InputError =>
  new InputError({
    place: chip,
    property: 'interrupts',
    expected,
    found: cells.length === 0 ? 'no cells' : `<${cells.join(' ')}>`,
  });

/**
 * The part that controllers without priorities and acknowledgement share: a line is masked while
 * it is handled (cf. handle_level_irq), serves one CPU, and is what its one cell says.
 */
export abstract class LevelIrqChip implements IrqChip {
  readonly name: string;
  readonly lines: number;
  /** What the kernel wants enabled, whatever is masked for the moment. */
  readonly #enabled = new Set<number>();

  constructor(name: string, lines: number) {
    this.name = name;
    this.lines = lines;
  }

  /** Brings the controller from whatever state firmware left it in to all disabled. Once. */
  abstract init(): void;

  enable(hwirq: number): void {
    this.#enabled.add(hwirq);
    this.unmask(hwirq);
  }

  disable(hwirq: number): void {
    this.#enabled.delete(hwirq);
    this.mask(hwirq);
  }

  ack(): number | null {
    const hwirq = this.pending();
    if (hwirq !== null) this.maskAck(hwirq);
    return hwirq;
  }

  eoi(hwirq: number): void {
    if (this.#enabled.has(hwirq)) this.unmask(hwirq);
  }

  /** These chips have no irq_set_type: Linux takes any type for granted. */
  setType(hwirq: number): number {
    return hwirq < this.lines ? 0 : -EINVAL;
  }

  setAffinity(hwirq: number, cpu: number): number {
    return hwirq < this.lines && cpu === 0 ? 0 : -EINVAL;
  }

  translate(cells: readonly number[]): IrqSpecifier {
    const [hwirq] = cells;
    if (cells.length !== 1 || hwirq === undefined || hwirq >= this.lines) {
      throw badSpecifier(this.name, `one cell below ${this.lines}`, cells);
    }
    return { hwirq, type: IrqType.None };
  }

  /** The line to handle next, or null. */
  protected abstract pending(): number | null;
  protected abstract mask(hwirq: number): void;
  protected abstract unmask(hwirq: number): void;

  /** Masks a line and forgets what it latched. */
  protected maskAck(hwirq: number): void {
    this.mask(hwirq);
  }
}

/** Number of the lowest set bit, or null of 0 (cf. ffs, which counts from 1). */
export const lowestBit = (word: number): number | null =>
  word === 0 ? null : 31 - Math.clz32(word & -word);
