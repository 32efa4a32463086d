import type { Device } from '../../../drivers/base/kernel/device';
import { DMA_MAPPING_ERROR, DmaAttr, DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import type { DmaAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { Random } from '../../../drivers/base/types/random';
import type { Machine } from '../../../machines/machine';
import type { MachinePlan } from '../../../machines/plan';
import { dmaBitMask, dmaSetMaskAndCoherent } from '../../../mm/dma-limits';
import { dmaMapPage, dmaUnmapPage } from '../../../mm/dma-mapping-common';
import { DelayedUnmap } from '../../../mm/iommu/delayed-unmap';
import type { BufferMapper } from '../../../mm/iommu/delayed-unmap';
import { QUEUE_TIMEOUT } from '../../../mm/iommu/flush-queue';
import { getOrder } from '../../../mm/zone';
import { bootWay, translated } from './boot';
import type { ExhaustionRow } from './report';

/*
 * Two devices in one small aperture: a camera with large buffers, which it maps for a short time, and
 * a network device with small ones of all ages between them. They map by the DMA API, on a machine
 * with its IOMMU: what they cannot have is what its mask leaves of addresses.
 */

/** Of the mask: an aperture of 512 pages, of which page 0 is nobody's. */
const MASK_BITS = 21;
const STEPS = 2000;
/** Simulated ns between two steps. */
const STEP = 20_000;

const { Bidirectional } = DmaDirection;
const { SkipCpuSync } = DmaAttr;

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
  readonly dev: Device;
  readonly page: Page;
  readonly bytes: number;
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

/**
 * How each policy fares with the same requests, on a machine each: of the group of the first IOMMU that
 * has two devices, or of the first one, whose device is both then.
 */
export const exhaustionRows = (board: string, plan: MachinePlan, seed: number): ExhaustionRow[] =>
  POLICIES.flatMap(policy => {
    const machine = bootWay(board, plan, policy.isLazy ? 'lazy' : 'strict');
    const [first, second] = devicesOf(machine);
    return first === undefined
      ? []
      : runPolicy(machine, [first, second ?? first], policy, new Random(seed));
  });

const devicesOf = (machine: Machine): readonly Device[] => {
  const { iommus } = machine.kernel;
  const groups = translated(machine).map(({ device }) => iommus.groupOf(device.dev)?.devices ?? []);
  return groups.find(({ length }) => length > 1) ?? groups[0] ?? [];
};

/** The DMA API of the devices, each buffer in one piece: of addresses alone, as nobody looks at the bytes. */
const MAPPER: BufferMapper<Buffer> = {
  map: ({ dev, page, bytes }) => {
    const address = dmaMapPage(dev, page, 0, bytes, Bidirectional, SkipCpuSync);
    return address === DMA_MAPPING_ERROR ? null : address;
  },
  unmap: ({ dev, bytes }, address) => {
    dmaUnmapPage(dev, address, bytes, Bidirectional, SkipCpuSync);
  },
  give: () => undefined,
  take: () => undefined,
};

/** Buffers as a policy maps them. */
class Mappings {
  readonly #delayed: DelayedUnmap<Buffer> | null;
  readonly #addresses = new Map<Buffer, DmaAddr>();

  constructor({ delayed }: Policy) {
    this.#delayed = delayed === null ? null : new DelayedUnmap(MAPPER, delayed);
  }

  get idle(): number {
    return this.#delayed?.idle ?? 0;
  }

  map(buffer: Buffer): boolean {
    if (this.#delayed !== null) return this.#delayed.map(buffer) !== null;
    const address = MAPPER.map(buffer);
    if (address !== null) this.#addresses.set(buffer, address);
    return address !== null;
  }

  unmap(buffer: Buffer): void {
    const address = this.#addresses.get(buffer);
    if (address === undefined) this.#delayed?.unmap(buffer);
    else MAPPER.unmap(buffer, address);
    this.#addresses.delete(buffer);
  }
}

/** What became of a client's requests. */
interface Tally {
  asked: number;
  refused: number;
  inARow: number;
  longest: number;
}

/** All buffers of a client, each of pages of its own; fewer where there is no memory. */
const buffersOf = ({ kernel }: Machine, client: Client, dev: Device): Buffer[] =>
  Array.from({ length: client.buffers }).flatMap((_, i): Buffer[] => {
    const bytes = (client.sizes[i % client.sizes.length] ?? 1) * PAGE_SIZE;
    const page = kernel.mm.pages.allocKernelPages({ zero: false }, getOrder(bytes));
    return page === null ? [] : [{ client, dev, page, bytes, isUsed: false }];
  });

const runPolicy = (
  machine: Machine,
  devices: readonly Device[],
  policy: Policy,
  random: Random,
): ExhaustionRow[] => {
  const { services, iommus } = machine.kernel;
  const buffers = CLIENTS.map((client, i) => {
    const [dev] = devices.slice(i);
    if (dev === undefined) return [];
    dmaSetMaskAndCoherent(dev, dmaBitMask(MASK_BITS));
    return buffersOf(machine, client, dev);
  });
  // What the boot has unmapped is nobody's when the first asks.
  services.waitUntil(() => false, 2 * QUEUE_TIMEOUT);
  const mappings = new Mappings(policy);
  const flushesBefore = iommus.counts.flushes;
  /** By step, whose use ends then. */
  const ending = new Map<number, Buffer[]>();
  const tallies = CLIENTS.map((): Tally => ({ asked: 0, refused: 0, inARow: 0, longest: 0 }));
  for (let step = 1; step <= STEPS; step++, services.waitUntil(() => false, STEP)) {
    for (const buffer of ending.get(step) ?? []) {
      mappings.unmap(buffer);
      buffer.isUsed = false;
    }
    const which = random.below(100) < (CLIENTS[0]?.share ?? 0) ? 0 : 1;
    const [mine = [], tally, holds] = [buffers[which], tallies[which], random.below(1000)];
    const free = mine.filter(({ isUsed }) => !isUsed);
    const buffer = free[random.below(Math.max(1, free.length))];
    if (buffer === undefined || tally === undefined) continue;
    const isMapped = mappings.map(buffer);
    tell(tally, isMapped);
    if (!isMapped) continue;
    const end = step + 1 + (holds % buffer.client.holds);
    buffer.isUsed = true;
    ending.set(end, [...(ending.get(end) ?? []), buffer]);
  }
  const flushes = iommus.counts.flushes - flushesBefore;
  return CLIENTS.map(({ name }, i) => {
    const { asked = 0, refused = 0, longest = 0 } = tallies[i] ?? {};
    const { idle } = mappings;
    return { policy: policy.name, device: name, asked, refused, longest, flushes, idle };
  });
};

const tell = (tally: Tally, isMapped: boolean): void => {
  tally.asked++;
  tally.inARow = isMapped ? 0 : tally.inARow + 1;
  tally.longest = Math.max(tally.longest, tally.inARow);
  if (!isMapped) tally.refused++;
};
