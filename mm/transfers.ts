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

  /** Bytes that the CPU has no business with at the moment; `own`: what a call is for. */
  metByCpu(access: AccessKind, range: ByteRange, own: readonly ByteRange[] | null): readonly Met[] {
    const touched = this.#touched.overlapping(range.start, range.size);
    if (touched.length === 0) return NONE;
    // Reading does not disturb what reads, nor does writing back what is clean.
    const spares = access === 'load' || access === 'poll' || access === 'clean';
    // What a call of the DMA API does to its own bytes is told of the call itself.
    const parts = outsideOf(own ?? NONE, range);
    return touched
      .filter(({ write }) => write || !spares)
      .flatMap(piece => parts.flatMap(part => common(piece, part)));
  }

  /** Bytes of a call of the DMA API that it should have left alone until their transfer ends. */
  metByCall(
    operation: DmaOperation | 'map',
    { device, direction, skipsSync }: Pick<DmaArguments, 'device' | 'direction' | 'skipsSync'>,
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

/** The parts of [start, start + size) between ranges that ascend and have no byte in common. */
const outsideOf = (
  ranges: readonly ByteRange[],
  { start, size }: ByteRange,
): readonly ByteRange[] => {
  const parts: ByteRange[] = [];
  const end = start + size;
  let from = start;
  for (const range of ranges) {
    const to = Math.min(end, range.start);
    if (to > from) parts.push({ start: from, size: to - from });
    from = Math.max(from, range.start + range.size);
  }
  if (end > from) parts.push({ start: from, size: end - from });
  return parts;
};
