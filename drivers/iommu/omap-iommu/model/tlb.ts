import { StateReader } from '../../../base/types/state';
import type { Stateful, StateValue } from '../../../base/types/state';
import { OMAP_IOMMU, SPAN_OF } from '../regs';

const { CAM, RAM } = OMAP_IOMMU.registers;
const { VALID, PRESERVED, SIZE, TAG } = CAM.fields;
const PAGE = 0x1000;

/** No entry holds for the address; several do. */
export const MISS = -1;
export const MULTI_HIT = -2;

const spanOf = (cam: number): number => SPAN_OF[SIZE.of(cam)] ?? PAGE;

/** The entries, as CAM and RAM have them: software sees them and puts them there. */
export class OmapTlb implements Stateful {
  readonly #cams: Uint32Array;
  readonly #rams: Uint32Array;
  /** Whether the table had it when it came. */
  readonly #walked: Uint8Array;

  constructor(entries: number) {
    this.#cams = new Uint32Array(entries);
    this.#rams = new Uint32Array(entries);
    this.#walked = new Uint8Array(entries);
  }

  get entries(): number {
    return this.#cams.length;
  }

  /** The number of the entry that holds for an address, MISS or MULTI_HIT. */
  find(address: number): number {
    let found = MISS;
    for (let i = 0; i < this.#cams.length; i++) {
      const cam = this.camAt(i);
      if (VALID.of(cam) === 0 || !holdsFor(cam, address)) continue;
      if (found !== MISS) return MULTI_HIT;
      found = i;
    }
    return found;
  }

  camAt(index: number): number {
    return this.#cams[index] ?? 0;
  }

  ramAt(index: number): number {
    return this.#rams[index] ?? 0;
  }

  isWalked(index: number): boolean {
    return this.#walked[index] === 1;
  }

  /** Where an entry leads an address that it holds for. */
  leads(index: number, address: number): number {
    const span = spanOf(this.camAt(index));
    const start = RAM.fields.ADDRESS.of(this.ramAt(index)) * PAGE;
    return start - (start % span) + (address % span);
  }

  /** Bytes from an address on that the entry holds for. */
  left(index: number, address: number): number {
    const span = spanOf(this.camAt(index));
    return span - (address % span);
  }

  load(index: number, cam: number, ram: number, isWalked: boolean): void {
    this.#cams[index] = cam;
    this.#rams[index] = ram;
    this.#walked[index] = isWalked ? 1 : 0;
  }

  /** Ends the entries for the address in a CAM. */
  flushEntry(cam: number): void {
    const address = TAG.of(cam) * PAGE;
    for (let i = 0; i < this.#cams.length; i++) {
      if (holdsFor(this.camAt(i), address)) this.#end(i);
    }
  }

  /** Ends all entries, or all but those that are preserved. */
  flush(evenPreserved: boolean): void {
    for (let i = 0; i < this.#cams.length; i++) {
      if (evenPreserved || PRESERVED.of(this.camAt(i)) === 0) this.#end(i);
    }
  }

  saveState(): StateValue {
    const { length } = this.#cams;
    const state = new Uint32Array(3 * length);
    state.set(this.#cams);
    state.set(this.#rams, length);
    state.set(this.#walked, 2 * length);
    return { entries: state };
  }

  restoreState(state: StateValue): void {
    const { length } = this.#cams;
    const words = new StateReader(state, 'TLB').words('entries', 3 * length);
    this.#cams.set(words.subarray(0, length));
    this.#rams.set(words.subarray(length, 2 * length));
    this.#walked.set(words.subarray(2 * length));
  }

  #end(index: number): void {
    this.load(index, 0, 0, false);
  }
}

const holdsFor = (cam: number, address: number): boolean => {
  const span = spanOf(cam);
  const start = TAG.of(cam) * PAGE;
  return address - (address % span) === start - (start % span);
};
