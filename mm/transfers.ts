import { callSite } from '../drivers/base/types/call-site';
import type { CallSite } from '../drivers/base/types/call-site';
import type { ByteRange } from '../drivers/base/types/finding';
import type {
  AccessKind,
  DmaArguments,
  DmaOperation,
  MemoryWatch,
} from '../drivers/base/types/observer';
import { PageIndex, overlaps } from './page-index';

/** Memory that a transfer under way has touched. */
export interface Touched extends ByteRange {
  readonly transfer: Transfer;
  readonly write: boolean;
}

/** Bytes that a transfer under way has touched, and of which device it is. */
export interface Met {
  readonly device: string;
  readonly bytes: ByteRange;
}

const NONE: readonly never[] = [];

/** A transfer between its doorbell and its completion. */
export class Transfer {
  readonly device: string;
  /** Of the call that rang the doorbell. */
  readonly site: CallSite;
  readonly touched: Touched[] = [];

  constructor(device: string, site: CallSite) {
    this.device = device;
    this.site = site;
  }
}

/** The transfers that are under way, and what each has touched so far. */
export class Transfers {
  readonly #watch: MemoryWatch;
  readonly #open = new Map<string, Map<number, Transfer>>();
  readonly #acting = new Map<string, Transfer>();
  readonly #touched = new PageIndex<Touched>();

  constructor(watch: MemoryWatch) {
    this.#watch = watch;
  }

  begins(device: string, transfer: number): void {
    const ofDevice = this.#open.get(device) ?? new Map<number, Transfer>();
    this.#open.set(device, ofDevice.set(transfer, new Transfer(device, callSite())));
  }

  acts(device: string, transfer: number): void {
    const acting = this.#open.get(device)?.get(transfer);
    if (acting === undefined) this.#acting.delete(device);
    else this.#acting.set(device, acting);
  }

  ends(device: string, transfer: number): void {
    const ended = this.#open.get(device)?.get(transfer);
    if (ended === undefined) return;
    this.#open.get(device)?.delete(transfer);
    if (this.#acting.get(device) === ended) this.#acting.delete(device);
    for (const piece of ended.touched) {
      this.#touched.delete(piece);
      this.#watch.unwatch(piece.start, piece.size);
    }
  }

  /** The transfer whose accesses these are, null outside of any. */
  actingOf(device: string): Transfer | null {
    return this.#acting.get(device) ?? null;
  }

  /** A transfer touches memory: from now to its end, what the CPU does there is told. */
  touches(transfer: Transfer, write: boolean, start: number, size: number): void {
    const last = transfer.touched.at(-1);
    if (last?.write === write && last.start <= start && last.start + last.size >= start + size) {
      return;
    }
    const piece = { transfer, write, start, size };
    transfer.touched.push(piece);
    this.#touched.add(piece);
    this.#watch.watch(start, size);
  }

  /** Bytes that the CPU has no business with at the moment; `own`: what a call maintains. */
  metByCpu(access: AccessKind, range: ByteRange, own: ByteRange | null): readonly Met[] {
    const touched = this.#touched.overlapping(range.start, range.size);
    if (touched.length === 0) return NONE;
    // Reading does not disturb what reads, nor does writing back what is clean.
    const spares = access === 'load' || access === 'poll' || access === 'clean';
    // What a call of the DMA API does to its own bytes is told of the call itself.
    const parts = isMaintenance(access) ? outsideOf(own, range) : [range];
    return touched
      .filter(({ write }) => write || !spares)
      .flatMap(piece => parts.flatMap(part => common(piece, part)));
  }

  /** Bytes of a call of the DMA API that it should have left alone until their transfer ends. */
  metByCall(
    operation: DmaOperation | 'map',
    { device, direction, skipsSync }: DmaArguments,
    range: ByteRange,
  ): readonly Met[] {
    if (skipsSync) return NONE;
    const maintains = direction !== 'to-device';
    return this.#touched
      .overlapping(range.start, range.size)
      .filter(({ write, transfer }) => {
        const takesAway = operation === 'unmap' && transfer.device === device;
        return write || maintains || takesAway;
      })
      .flatMap(piece => common(piece, range));
  }
}

/** Whether it is of a cache operation. */
export const isMaintenance = (access: AccessKind): boolean =>
  access === 'clean' || access === 'invalidate' || access === 'clean+invalidate';

const common = (piece: Touched, part: ByteRange): readonly Met[] => {
  if (!overlaps(piece, part.start, part.size)) return NONE;
  const start = Math.max(piece.start, part.start);
  const end = Math.min(piece.start + piece.size, part.start + part.size);
  return [{ device: piece.transfer.device, bytes: { start, size: end - start } }];
};

/** The parts of [start, start + size) before and behind a range. */
const outsideOf = (range: ByteRange | null, { start, size }: ByteRange): readonly ByteRange[] => {
  if (range === null) return [{ start, size }];
  const end = start + size;
  const behind = Math.max(start, range.start + range.size);
  return [
    { start, size: Math.min(end, range.start) - start },
    { start: behind, size: end - behind },
  ].filter(part => part.size > 0);
};
