import { DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { SgPiece, SgRange } from '../drivers/base/types/observer';
import type { DebugEntry, Reference } from './dma-debug-entries';
import type { Check } from './dma-debug-log';
import { dir2name, hex16, hexPhys, type2name } from './dma-debug-text';
import type { DebugVersion, TypeWidths } from './dma-debug-text';

/*
 * What kernel/dma/debug.c holds against a call, in its own words and order, without the ends of
 * the lines. Each check has its number (see Check).
 */

/** What is wrong with a call. */
export interface Complaint {
  readonly check: Check;
  readonly text: string;
}

/** Who speaks: the version, and how wide its types are. */
export interface Speaker {
  readonly version: DebugVersion;
  readonly widths: TypeWidths;
}

/** Attributes of a mapping that its unmap repeats (DMA_ATTR_UNMAP_VALID). */
const KEPT_ATTRS = [
  DmaAttr.NoKernelMapping,
  DmaAttr.ForceContiguous,
  DmaAttr.Mmio,
  DmaAttr.RequireCoherent,
  DmaAttr.Privileged,
  DmaAttr.CcShared,
];

/** A call that has no mapping. `isError`: its address is what a mapping answers that failed. */
export const unmapOfNothing = (ref: Reference, isError: boolean, by: Speaker): Complaint =>
  isError
    ? { check: 3, text: 'device driver tries to free an invalid DMA memory address' }
    : {
        check: 4,
        text: `device driver tries to free DMA memory it has not allocated ${placeOf(ref, by)}`,
      };

/** check_unmap, once the mapping is found. */
export const checkUnmap = (
  entry: DebugEntry,
  ref: Reference,
  by: Speaker,
): readonly Complaint[] => {
  const { made } = entry;
  const found: Complaint[] = [];
  const frees = (check: Check, what: string): void => {
    found.push({ check, text: `device driver frees DMA ${what}` });
  };
  const place = placeOf(ref, by);
  if (made.size !== ref.size) {
    const address = `[device address=${hex16(ref.busAddress, by.widths)}]`;
    const sizes = `[map size=${made.size} bytes] [unmap size=${ref.size} bytes]`;
    frees(5, `memory with different size ${address} ${sizes}`);
  }
  if (made.type !== ref.type) {
    const [mapped, unmapped] = [made, ref].map(({ type }) => type2name(type, by.version));
    frees(6, `memory with wrong function ${place} [mapped as ${mapped}] [unmapped as ${unmapped}]`);
  } else if (isMemory(made) && ref.address !== null && ref.address !== entry.address) {
    const addresses =
      `[cpu alloc address=${cpuAddress(entry.address, by)}] ` +
      `[cpu free address=${cpuAddress(ref.address, by)}]`;
    frees(7, `memory with different CPU address ${place} ${addresses}`);
  }
  if (isListWithOtherCount(made, ref)) {
    const counts = `[map count=${made.sgCallEnts}] [unmap count=${ref.sgCallEnts}]`;
    frees(8, `sg list with different entry count ${counts}`);
  }
  if (made.direction !== ref.direction) {
    const directions =
      `[mapped with ${dir2name(made.direction)}] ` + `[unmapped with ${dir2name(ref.direction)}]`;
    frees(9, `memory with different direction ${place} ${directions}`);
  }
  if (entry.mapError === 'not checked') {
    const mapped = `[mapped as ${type2name(made.type, by.version)}]`;
    found.push({
      check: 10,
      text: `device driver failed to check map error${place} ${mapped}`,
    });
  }
  const differs = (attr: number): boolean =>
    hasDmaAttr(made.attrs, attr) !== hasDmaAttr(ref.attrs, attr);
  if (by.version === 'newest' && KEPT_ATTRS.some(differs)) {
    const attrs = `[mapped with ${hexAttrs(made.attrs)}] [unmapped with ${hexAttrs(ref.attrs)}]`;
    frees('attributes', `memory with different attributes ${place} ${attrs}`);
  }
  return found;
};

export const syncOfNothing = (ref: Reference, by: Speaker): Complaint => ({
  check: 14,
  text: `device driver tries to sync DMA memory it has not allocated ${placeOf(ref, by)}`,
});

/**
 * check_sync, once a mapping that contains the range is found; what it says of ranges that end
 * outside (15) it can never say.
 */
export const checkSync = (
  entry: DebugEntry,
  ref: Reference,
  to: 'cpu' | 'device',
  by: Speaker,
): readonly Complaint[] => {
  const { made } = entry;
  if (made.direction === 'bidirectional') return [];
  const found: Complaint[] = [];
  const directions =
    `[device address=${hex16(ref.busAddress, by.widths)}] [size=${made.size} bytes] ` +
    `[mapped with ${dir2name(made.direction)}] [synced with ${dir2name(ref.direction)}]`;
  const syncs = (check: Check, what: string): void => {
    found.push({ check, text: `device driver syncs ${what}` });
  };
  if (made.direction !== ref.direction) {
    syncs(16, `DMA memory with different direction ${directions}`);
  }
  if (to === 'cpu' && made.direction === 'to-device' && ref.direction !== 'to-device') {
    syncs(17, `device read-only DMA memory for cpu ${directions}`);
  }
  if (to === 'device' && made.direction === 'from-device' && ref.direction !== 'from-device') {
    syncs(18, `device write-only DMA memory to device ${directions}`);
  }
  if (isListWithOtherCount(made, ref)) {
    const counts = `[map count=${made.sgCallEnts}] [sync count=${ref.sgCallEnts}]`;
    syncs(19, `DMA sg list with different entry count ${counts}`);
  }
  return found;
};

/** check_sg_segment, of an entry that carries bus addresses (CONFIG_DMA_API_DEBUG_SG). */
export const checkSegment = (
  { length, busAddress, busLength }: SgPiece,
  { maxSegSize, segBoundary }: Pick<SgRange, 'maxSegSize' | 'segBoundary'>,
  by: Speaker,
): readonly Complaint[] => {
  const found: Complaint[] = [];
  if (length > maxSegSize) {
    const lengths = `[len=${length}] [max=${maxSegSize}]`;
    const text = `mapping sg segment longer than device claims to support ${lengths}`;
    found.push({ check: 20, text });
  }
  const end = busAddress + busLength - 1;
  if (crosses(busAddress, end, segBoundary)) {
    const [start, last, boundary] = [busAddress, end, segBoundary].map(value =>
      hex16(value, by.widths),
    );
    const range = `[start=${start}] [end=${last}] [boundary=${boundary}]`;
    found.push({ check: 21, text: `mapping sg segment across boundary ${range}` });
  }
  return found;
};

/** (start ^ end) & ~boundary: a bit that no mask of 32 bits may cut. */
const crosses = (start: number, end: number, boundary: number): boolean => {
  const bit = (value: number, index: number): number => Math.floor(value / 2 ** index) % 2;
  // A boundary of 2^64 - 1 is rounded up.
  if (boundary >= 2 ** 64) return false;
  for (let index = 0; index < 64; index++) {
    if (bit(boundary, index) === 0 && bit(start, index) !== bit(end, index)) return true;
  }
  return false;
};

const placeOf = ({ busAddress, size }: Reference, { widths }: Speaker): string =>
  `[device address=${hex16(busAddress, widths)}] [size=${size} bytes]`;

/** What the DMA API itself has allocated. */
const isMemory = ({ type }: Reference): boolean => type === 'coherent' || type === 'noncoherent';

const isListWithOtherCount = (made: Reference, ref: Reference): boolean =>
  ref.type === 'scatter-gather' && ref.sgCallEnts !== made.sgCallEnts;

/** Since 6.12 it is 0x%pa, and %pa brings its own 0x. */
const cpuAddress = (address: number, { version, widths }: Speaker): string =>
  version === '6.1' ? hex16(address, widths) : `0x${hexPhys(address, widths)}`;

const hexAttrs = (attrs: number): string => `0x${attrs.toString(16)}`;

/** What a driver leaves behind that is taken from its device: how much, and the last of it. */
export const leakOf = (count: number, { made }: DebugEntry, by: Speaker): Complaint => ({
  check: 2,
  text:
    `device driver has pending DMA allocations while released from device [count=${count}]\n` +
    `One of leaked entries details: ${placeOf(made, by)} ` +
    `[mapped with ${dir2name(made.direction)}] ` +
    `[mapped as ${type2name(made.type, by.version)}]`,
});
