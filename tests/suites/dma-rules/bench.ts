import type { Device } from '../../../drivers/base/kernel/device';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import type { Gfp } from '../../../drivers/base/kernel/gfp';
import type { CpuAddr, DmaAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { TestMasterDevice } from '../../../drivers/misc/test-master/driver';
import type { Kernel } from '../../../machines/kernel';
import type { BoundMaster, Machine } from '../../../machines/machine';
import {
  DmaAttr,
  DmaDirection,
  dmaBitMask,
  dmaMapSingle,
  dmaUnmapSingle,
  dmaGetMergeBoundary,
  dmaMappingError,
  dmaSetMaskAndCoherent,
} from '../../../mm/dma-mapping-common';
import type { DmaAttrs } from '../../../mm/dma-mapping-common';
import { pageToPhys } from '../../../mm/page-alloc';
import { getOrder } from '../../../mm/zone';
import { reachableBy, sleepUntilDone, storeWords } from '../driver-bench';
import { bounceOf, deviceReads, deviceWrites, differing, fill } from '../dma-support';
import type { CaseContext } from '../suite';

/**
 * What stands between a device and memory: `coherent`, or the maintenance of the kernel's
 * architecture, with the outer cache; before it what bounces, or an IOMMU.
 */
export const backEndOf = (
  { kernel, plan }: Machine,
  dev: Device,
  bounce: string | null,
): string => {
  const outer = plan.outer?.driven === true ? ' PL310' : '';
  const caches = dev.dma.coherent ? 'coherent' : `${kernel.mm.info.type}${outer}`;
  if (bounce !== null) return `${bounce}, ${caches}`;
  return dmaGetMergeBoundary(dev) === 0 ? caches : `IOMMU, ${caches}`;
};

/** All that the device moves is bounced, as by `swiotlb=force`. */
const bouncing = <Result>(dev: Device, body: () => Result): Result => {
  const { forcesBounce } = dev.dma;
  Object.assign(dev.dma, { forcesBounce: true });
  try {
    return body();
  } finally {
    Object.assign(dev.dma, { forcesBounce });
  }
};

/** What a rule is shown with: a device by one back end, the kernel, and memory that it reaches. */
export class RuleBench {
  readonly t: CaseContext;
  readonly kernel: Kernel;
  readonly device: TestMasterDevice;
  readonly dev: Device;
  readonly backEnd: string;
  readonly gfp: Gfp;
  /** What bounces its data, or null. */
  readonly bounce: string | null;
  readonly #master: BoundMaster;
  readonly #isBouncing: boolean;

  private constructor(t: CaseContext, master: BoundMaster, gfp: Gfp, isBouncing: boolean) {
    this.t = t;
    this.kernel = t.machine.kernel;
    this.device = master.device;
    this.dev = master.device.dev;
    const find = (): string | null => bounceOf(t.machine, this.dev, gfp);
    this.bounce = isBouncing ? bouncing(this.dev, find) : find();
    this.backEnd = backEndOf(t.machine, this.dev, this.bounce);
    this.gfp = gfp;
    this.#master = master;
    this.#isBouncing = isBouncing;
  }

  /**
   * One for each back end of the machine: its masters as they are, and as they would be if nobody
   * trusted them. Those that reach no memory are left out.
   */
  static all(t: CaseContext): readonly RuleBench[] {
    const benches = new Map<string, RuleBench>();
    for (const master of t.machine.masters) {
      const { dev } = master.device;
      const { mask, coherentMask } = dev.dma;
      dmaSetMaskAndCoherent(dev, dmaBitMask(64));
      const gfp = reachableBy(t.machine, dev);
      dev.dma.mask = mask;
      dev.dma.coherentMask = coherentMask;
      if (gfp === null) continue;
      for (const isBouncing of [false, true]) {
        const bench = new RuleBench(t, master, gfp, isBouncing);
        if (!benches.has(bench.backEnd)) benches.set(bench.backEnd, bench);
      }
    }
    return [...benches.values()];
  }

  /** An IOMMU translates what the device does. */
  get isTranslated(): boolean {
    return this.kernel.iommus.dmaDomain(this.dev) !== null;
  }

  /** The device snoops, and its data takes no detour: both sides see each other's writes at once. */
  get sees(): boolean {
    return this.dev.dma.coherent && this.bounce === null;
  }

  /**
   * The body, with the device as this back end has it and under the widest masks; what it had
   * before it has when the body is done.
   */
  asItIs<Result>(body: () => Result): Result {
    const { dev } = this;
    const { mask, coherentMask, maxSegSize, segBoundary, minAlignMask } = dev.dma;
    const run = (): Result => {
      dmaSetMaskAndCoherent(dev, dmaBitMask(64));
      try {
        return body();
      } finally {
        Object.assign(dev.dma, { mask, coherentMask, maxSegSize, segBoundary, minAlignMask });
      }
    };
    return this.#isBouncing ? bouncing(dev, run) : run();
  }

  /** Pages that the device reaches, for the length of the body. */
  withPages(size: number, body: (address: CpuAddr, page: Page) => void): void {
    const { pages, layout } = this.kernel.mm;
    const order = getOrder(size);
    const page = this.t.need(pages.allocPages(this.gfp, order), `${size} bytes`);
    try {
      body(this.t.need(layout.physToVirt(pageToPhys(page)), 'a lowmem page'), page);
    } finally {
      pages.freePagesAt(page, order);
    }
  }

  /** A page that is mapped, asked about, and unmapped by the body. */
  withMapping(
    direction: DmaDirection,
    body: (address: CpuAddr, dma: DmaAddr) => void,
    attrs: DmaAttrs = DmaAttr.None,
  ): void {
    this.withPages(PAGE_SIZE, address => {
      this.fill(address, 0);
      body(address, this.map(address, SIZE, direction, attrs));
    });
  }

  /** A mapping that was made and asked about. */
  map(
    address: CpuAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs = DmaAttr.None,
  ): DmaAddr {
    const dma = dmaMapSingle(this.dev, address, size, direction, attrs);
    return this.t.need(dmaMappingError(this.dev, dma) === 0 ? dma : null, 'a mapping');
  }

  fill(address: CpuAddr, seed: number, size = SIZE): void {
    fill(this.t, address, size, seed);
  }

  /** As fill, a word at a time, and by stores alone. */
  storeWords(address: CpuAddr, seed: number, size = SIZE): void {
    storeWords(this.kernel.cpu, address, size, seed);
  }

  /** See DriverBench. */
  sleepUntilDone(): void {
    sleepUntilDone(this.kernel.cpu, this.device);
  }

  cpuFinds(address: CpuAddr, seed: number, size = SIZE): void {
    this.t.equal(differing(this.t, address, size, seed), 0, 'the wrong bytes that the CPU reads');
  }

  deviceWrites(dma: DmaAddr, seed: number, size = SIZE): void {
    deviceWrites(this.t, this.#master, dma, size, seed);
  }

  deviceFinds(dma: DmaAddr, seed: number, size = SIZE): void {
    deviceReads(this.t, this.#master, dma, size, seed);
  }

  /**
   * The driver lets the device go and holds a mapping of SIZE bytes to the device, which is told.
   * Nobody ever ends it; here others are to find the device as it was.
   */
  unbindHolding(dma: DmaAddr): void {
    this.t.machine.observer?.finish();
    dmaUnmapSingle(this.dev, dma, SIZE, DmaDirection.ToDevice, DmaAttr.SkipCpuSync);
  }

  /** What the log of the kernel says because of the body. */
  logged(body: () => void): readonly string[] {
    const { lines } = this.kernel.log;
    const before = lines.length;
    body();
    return lines.slice(before).map(({ text }) => text);
  }

  /** Lines that were maintained so far, inside the cores and outside. */
  get maintained(): number {
    const { cpu, outer } = this.kernel.mm;
    return cpu.cacheOps + outer.lines;
  }
}

/** Bytes of the buffers of rules: several lines of any cache. */
export const SIZE = 256;
