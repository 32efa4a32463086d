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
import { pageToPhys } from '../../../mm/page-alloc';
import { getOrder } from '../../../mm/zone';
import { reachableBy } from '../driver-bench';
import { deviceReads, deviceWrites, differing, fill } from '../dma-support';
import type { CaseContext } from '../suite';

/**
 * What stands between a device and memory: `coherent`, or the maintenance of the kernel's
 * architecture, with the outer cache; before it an IOMMU.
 */
export const backEndOf = ({ kernel, plan }: Machine, dev: Device): string => {
  const outer = plan.outer?.driven === true ? ' PL310' : '';
  const caches = dev.dma.coherent ? 'coherent' : `${kernel.mm.info.type}${outer}`;
  return dmaGetMergeBoundary(dev) === 0 ? caches : `IOMMU, ${caches}`;
};

/** What a rule is shown with: a device by one back end, the kernel, and memory that it reaches. */
export class RuleBench {
  readonly t: CaseContext;
  readonly kernel: Kernel;
  readonly device: TestMasterDevice;
  readonly dev: Device;
  readonly backEnd: string;
  readonly gfp: Gfp;
  readonly #master: BoundMaster;

  private constructor(t: CaseContext, master: BoundMaster, gfp: Gfp) {
    this.t = t;
    this.kernel = t.machine.kernel;
    this.device = master.device;
    this.dev = master.device.dev;
    this.backEnd = backEndOf(t.machine, this.dev);
    this.gfp = gfp;
    this.#master = master;
  }

  /** One for each back end of the machine; masters that reach no memory are left out. */
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
      const bench = new RuleBench(t, master, gfp);
      if (!benches.has(bench.backEnd)) benches.set(bench.backEnd, bench);
    }
    return [...benches.values()];
  }

  /** Under the widest masks, and with what it had before when the body is done. */
  withWideMasks(body: () => void): void {
    const { mask, coherentMask, maxSegSize, segBoundary } = this.dev.dma;
    dmaSetMaskAndCoherent(this.dev, dmaBitMask(64));
    try {
      body();
    } finally {
      Object.assign(this.dev.dma, { mask, coherentMask, maxSegSize, segBoundary });
    }
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
  withMapping(direction: DmaDirection, body: (address: CpuAddr, dma: DmaAddr) => void): void {
    this.withPages(PAGE_SIZE, address => {
      this.fill(address, 0);
      body(address, this.map(address, SIZE, direction));
    });
  }

  /** A mapping that was made and asked about. */
  map(address: CpuAddr, size: number, direction: DmaDirection): DmaAddr {
    const dma = dmaMapSingle(this.dev, address, size, direction);
    return this.t.need(dmaMappingError(this.dev, dma) === 0 ? dma : null, 'a mapping');
  }

  fill(address: CpuAddr, seed: number, size = SIZE): void {
    fill(this.t, address, size, seed);
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

  /** Lines that were maintained so far, inside the cores and outside. */
  get maintained(): number {
    const { cpu, outer } = this.kernel.mm;
    return cpu.cacheOps + outer.lines;
  }
}

/** Bytes of the buffers of rules: several lines of any cache. */
export const SIZE = 256;
