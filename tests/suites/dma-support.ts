import type { Device } from '../../drivers/base/kernel/device';
import { physAddr } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { patternByte } from '../../drivers/misc/test-master/regs';
import type { BoundMaster, Machine } from '../../machines/machine';
import {
  DmaDirection,
  dmaBitMask,
  dmaMapSingle,
  dmaMappingError,
  dmaSetMaskAndCoherent,
} from '../../mm/dma-mapping-common';
import { pageToPhys, pfnToPage } from '../../mm/page-alloc';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { reachableBy } from './driver-bench';
import type { Case, CaseContext } from './suite';

/** Rounds of each exchange: what goes wrong only now and then must have its chance. */
export const ROUNDS = 12;
/** Of buffers: parts of a line, whole lines, parts of a page, a page. */
export const SIZES = [4, 64, 128, 1000, 1024, 4096] as const;

/** Which allocations the device can reach, whatever page they give: null if none. */
export const reachable = (t: CaseContext, { dev }: { readonly dev: Device }): Gfp | null =>
  reachableBy(t.machine, dev);

/**
 * What bounces whole pages that a device moves, as the device is; null: nothing does. It is asked
 * with memory that the device reaches.
 */
export const bounceOf = ({ kernel }: Machine, dev: Device, gfp: Gfp): string | null => {
  if (dev.dma.restricted !== null) return 'restricted pool';
  const [range] = kernel.mm.pages.rangesFor(gfp);
  const { bounce } = kernel.dma;
  if (bounce === null || range === undefined || kernel.iommus.dmaDomain(dev) !== null) return null;
  const at = pageToPhys(pfnToPage(range.start));
  return bounce.needs(dev, at, PAGE_SIZE, DmaDirection.Bidirectional, DIRECT) ? bounce.name : null;
};

const DIRECT = { isReachable: true, granule: null } as const;

/** SIZES, without those that a kernel whose swiotlb is off does not map for a device. */
export const sizesFor = ({ kernel }: Machine, dev: Device): readonly number[] => {
  const { bounce } = kernel.dma;
  if (bounce?.name !== 'no swiotlb' || kernel.iommus.dmaDomain(dev) !== null) return SIZES;
  const isMapped = (size: number): boolean =>
    !bounce.needs(dev, physAddr(0), size, DmaDirection.FromDevice, DIRECT);
  return SIZES.filter(isMapped);
};

/** A mapping that was made; the case ends if it was not. */
export const mapped = (
  t: CaseContext,
  dev: Device,
  buffer: CpuAddr,
  size: number,
  direction: DmaDirection,
): DmaAddr => {
  const address = dmaMapSingle(dev, buffer, size, direction);
  return t.need(dmaMappingError(dev, address) === 0 ? address : null, `a mapping of ${size} bytes`);
};

/**
 * The CPU writes the pattern of `seed` a byte at a time, into lines that it has: a store that
 * misses does not allocate on every core, and would need no clean. What is loaded to bring the line
 * in has been stored before: nobody else may have written it.
 */
export const fill = (t: CaseContext, buffer: CpuAddr, size: number, seed: number): void => {
  const { cpu } = t.machine.kernel;
  for (let i = 0; i < size; i++) {
    cpu.store8(buffer + i, patternByte(seed, i));
    cpu.load8(buffer + i);
    cpu.store8(buffer + i, patternByte(seed, i));
  }
};

/** How many bytes the CPU reads that are not the pattern of `seed`. */
export const differing = (t: CaseContext, buffer: CpuAddr, size: number, seed: number): number => {
  const { cpu } = t.machine.kernel;
  let wrong = 0;
  for (let i = 0; i < size; i++) {
    if (cpu.load8(buffer + i) !== patternByte(seed, i)) wrong++;
  }
  return wrong;
};

/** The device reads, and finds the pattern of `seed`. */
export const deviceReads = (
  t: CaseContext,
  { device }: BoundMaster,
  address: DmaAddr,
  size: number,
  seed: number,
): void => {
  const result = device.checkPattern(address, size, seed);
  t.equal(result.error, 0, 'the result of the device reading');
  t.equal(result.mismatches, 0, `the stale bytes that the device read of ${size}`);
};

/** The device writes the pattern of `seed`. */
export const deviceWrites = (
  t: CaseContext,
  { device }: BoundMaster,
  address: DmaAddr,
  size: number,
  seed: number,
): void => {
  t.equal(device.writePattern(address, size, seed), 0, 'the result of the device writing');
};

/** Why a case says nothing of a machine, or of one of its masters; null: it does. */
interface Unfit {
  readonly machine?: (machine: Machine) => string | null;
  readonly master?: (t: CaseContext, master: BoundMaster, gfp: Gfp) => string | null;
}

/** A case that is run with every master of the board that reaches RAM at all, and is fit for it. */
export const onEveryMaster = (
  name: string,
  body: (t: CaseContext, master: BoundMaster, gfp: Gfp) => void,
  unfit: Unfit = {},
): Case => ({
  name,
  unfit: machine => unfit.machine?.(machine) ?? null,
  run: t => {
    let used = 0;
    let reason = 'no master of this board reaches RAM';
    for (const master of t.machine.masters) {
      dmaSetMaskAndCoherent(master.device.dev, dmaBitMask(64));
      const gfp = reachable(t, master.device);
      if (gfp === null) continue;
      const why = unfit.master?.(t, master, gfp) ?? null;
      if (why === null) {
        used++;
        body(t, master, gfp);
      } else {
        reason = why;
      }
    }
    if (used === 0) t.skip(reason);
  },
});
