import { KernelTimers } from '../../../drivers/base/kernel/timers';
import { dmaAddr } from '../../../drivers/base/types/address';
import type { DmaAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { Random } from '../../../drivers/base/types/random';
import { IovaDomain } from '../../../mm/iova';
import { DelayedUnmap } from '../../../mm/iommu/delayed-unmap';
import { FlushQueue } from '../../../mm/iommu/flush-queue';
import type { ExhaustionRow } from './report';

/*
 * Two devices in one small aperture: a camera with large buffers, which it maps for a short time, and
 * a network device with small ones of all ages between them. Addresses, caches of them and the flush
 * queue are the kernel's own; there is no hardware.
 */

/** Pages of the aperture. */
const APERTURE = 512;
const STEPS = 4000;
/** Simulated ns between two steps. */
const STEP = 20_000;

interface Client {
  readonly name: string;
  /** Pages of its buffers, of which it has so many. */
  readonly sizes: readonly number[];
  readonly buffers: number;
  /** Of a hundred steps. */
  readonly share: number;
  /** Steps for which it uses a buffer, at most. */
  readonly holds: number;
}

const CLIENTS: readonly Client[] = [
  { name: 'camera', sizes: [64], buffers: 8, share: 10, holds: 30 },
  { name: 'network', sizes: [1, 2, 3], buffers: 200, share: 90, holds: 220 },
];

interface Buffer {
  readonly client: Client;
  readonly pages: number;
  isUsed: boolean;
}

interface Policy {
  readonly name: string;
  readonly isLazy: boolean;
  /** Null: each unmap is one. */
  readonly delayed: { readonly evicts: boolean } | null;
}

const POLICIES: readonly Policy[] = [
  { name: 'strict', isLazy: false, delayed: null },
  { name: 'lazy', isLazy: true, delayed: null },
  { name: 'delayed unmap', isLazy: false, delayed: { evicts: false } },
  { name: 'delayed unmap, evicting', isLazy: false, delayed: { evicts: true } },
];

/** How each policy fares with the same requests. */
export const exhaustionRows = (seed: number): ExhaustionRow[] =>
  POLICIES.flatMap(policy => runPolicy(policy, new Random(seed)));

/** The aperture, as a policy uses it. */
class Aperture {
  flushes = 0;
  readonly #iova: IovaDomain;
  readonly #queue: FlushQueue | null;
  readonly #delayed: DelayedUnmap<Buffer> | null;
  readonly #addresses = new Map<Buffer, DmaAddr>();

  constructor({ isLazy, delayed }: Policy, timers: KernelTimers) {
    const cpus = { online: 1, number: 0 };
    const space = { granule: PAGE_SIZE, startPfn: 1, endPfn: APERTURE };
    const iova = new IovaDomain(space, cpus, timers);
    this.#iova = iova;
    const flushAll = (): void => {
      this.flushes++;
    };
    this.#queue = isLazy ? new FlushQueue({ iova, flushAll, timers, cpus }) : null;
    const mapper = {
      map: (buffer: Buffer) => this.#alloc(buffer),
      unmap: (buffer: Buffer, address: DmaAddr) => {
        this.#free(buffer, address);
      },
      give: () => undefined,
      take: () => undefined,
    };
    this.#delayed = delayed === null ? null : new DelayedUnmap(mapper, delayed);
  }

  get idle(): number {
    return this.#delayed?.idle ?? 0;
  }

  map(buffer: Buffer): boolean {
    if (this.#delayed !== null) return this.#delayed.map(buffer) !== null;
    const address = this.#alloc(buffer);
    if (address !== null) this.#addresses.set(buffer, address);
    return address !== null;
  }

  unmap(buffer: Buffer): void {
    const address = this.#addresses.get(buffer);
    if (address === undefined) this.#delayed?.unmap(buffer);
    else this.#free(buffer, address);
    this.#addresses.delete(buffer);
  }

  #alloc({ pages }: Buffer): DmaAddr | null {
    const pfn = this.#iova.allocFast(pages, APERTURE - 1, true);
    return pfn === null ? null : dmaAddr(pfn * PAGE_SIZE);
  }

  #free({ pages }: Buffer, address: DmaAddr): void {
    const pfn = address / PAGE_SIZE;
    if (this.#queue !== null) {
      this.#queue.queue(pfn, pages);
      return;
    }
    this.flushes++;
    this.#iova.freeFast(pfn, pages);
  }
}

/** What became of a client's requests. */
interface Tally {
  asked: number;
  refused: number;
  inARow: number;
  longest: number;
}

const runPolicy = (policy: Policy, random: Random): ExhaustionRow[] => {
  let now = 0;
  const timers = new KernelTimers(() => now);
  const aperture = new Aperture(policy, timers);
  const buffers = CLIENTS.map(client =>
    Array.from({ length: client.buffers }, (_, i): Buffer => {
      const pages = client.sizes[i % client.sizes.length] ?? 1;
      return { client, pages, isUsed: false };
    }),
  );
  /** By step, whose use ends then. */
  const ending = new Map<number, Buffer[]>();
  const tallies = CLIENTS.map((): Tally => ({ asked: 0, refused: 0, inARow: 0, longest: 0 }));
  for (let step = 1; step <= STEPS; step++, now += STEP) {
    timers.run();
    for (const buffer of ending.get(step) ?? []) {
      aperture.unmap(buffer);
      buffer.isUsed = false;
    }
    const which = random.below(100) < (CLIENTS[0]?.share ?? 0) ? 0 : 1;
    const [mine = [], tally, holds] = [buffers[which], tallies[which], random.below(1000)];
    const free = mine.filter(({ isUsed }) => !isUsed);
    const buffer = free[random.below(Math.max(1, free.length))];
    if (buffer === undefined || tally === undefined) continue;
    const isMapped = aperture.map(buffer);
    tell(tally, isMapped);
    if (!isMapped) continue;
    const end = step + 1 + (holds % buffer.client.holds);
    buffer.isUsed = true;
    ending.set(end, [...(ending.get(end) ?? []), buffer]);
  }
  return CLIENTS.map(({ name }, i) => {
    const { asked = 0, refused = 0, longest = 0 } = tallies[i] ?? {};
    const { flushes, idle } = aperture;
    return { policy: policy.name, device: name, asked, refused, longest, flushes, idle };
  });
};

const tell = (tally: Tally, isMapped: boolean): void => {
  tally.asked++;
  tally.inARow = isMapped ? 0 : tally.inARow + 1;
  tally.longest = Math.max(tally.longest, tally.inARow);
  if (!isMapped) tally.refused++;
};
