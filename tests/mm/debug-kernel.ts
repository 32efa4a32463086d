import type {
  DmaCall,
  DmaMemoryRange,
  DmaRange,
  SgPiece,
  SgRange,
} from '../../drivers/base/types/observer';
import { DmaDebug } from '../../mm/dma-debug';
import type { DmaDebugOptions } from '../../mm/dma-debug';
import type { DebugAreas } from '../../mm/dma-debug-addresses';
import type { Check, DmaDebugMessage } from '../../mm/dma-debug-log';
import { BUS_OFFSET, range, site } from './watched-memory';

/** Memory that all tests use; its bus address is 0xc0001000. */
export const START = 0x8000_1000;
/** Where the calls of a driver stand that are wrong, and those before them. */
export const HERE = site('driver.ts:7');
export const BEFORE = site('driver.ts:1');

/** Lowmem up to 0xb0000000 shows at 0xc0000000; the kernel's image is the first page of RAM. */
export const DEBUG_AREAS: DebugAreas = {
  kernel: { start: 0x8000_0000, size: 0x1000 },
  stack: null,
  vmalloc: { start: 0xf000_0000, end: 0xff00_0000 },
  physToVirt: address => (address < 0xb000_0000 ? address + 0x4000_0000 : null),
  virtToPhys: address =>
    address >= 0xc000_0000 && address < 0xf000_0000 ? address - 0x4000_0000 : null,
  isRam: address => address >= 0x8000_0000,
  widths: { pointer: 4, phys: 4 },
  lineBytes: 64,
  cacheAlignment: 64,
  bouncesUnaligned: () => false,
};

/** dma-debug in a kernel of 32 bits, and a driver that has mapped, or has not. */
export class DebugBench {
  readonly debug: DmaDebug;
  readonly told: DmaDebugMessage[] = [];

  constructor(options: DmaDebugOptions = {}, areas: Partial<DebugAreas> = {}) {
    const tell = (message: DmaDebugMessage): void => {
      this.told.push(message);
    };
    this.debug = new DmaDebug({ ...DEBUG_AREAS, ...areas }, tell, options);
  }

  map(fields: Partial<DmaRange> = {}, isChecked = true): DmaRange {
    const mapped = range({ address: START, size: 256, ...fields });
    this.debug.mapped(mapped, BEFORE);
    if (isChecked) this.debug.checked(mapped.device, mapped.busAddress);
    return mapped;
  }

  unmap(call: DmaCall, change: Partial<DmaCall> = {}): void {
    this.debug.unmapped({ ...call, ...change }, HERE);
  }

  mapList(list: SgRange = listOf([[START, 256]])): SgRange {
    this.debug.sgMapped(list, BEFORE);
    return list;
  }

  allocate(fields: Partial<DmaMemoryRange> = {}): DmaMemoryRange {
    const memory = { ...memoryOf(START, 4096), ...fields };
    this.debug.memoryAllocated(memory, BEFORE);
    return memory;
  }

  /** The texts since the last call. */
  texts(): string[] {
    return this.told.splice(0).map(({ text }) => text);
  }

  /** Which checks have spoken since the last call. */
  checks(): Check[] {
    return this.told.splice(0).map(({ check }) => check);
  }
}

/** A list of pieces of memory that were mapped one by one; `fields` say what is different. */
export const listOf = (
  pieces: readonly (readonly [address: number, length: number])[],
  fields: Partial<SgRange> = {},
): SgRange => {
  const entries: readonly SgPiece[] = pieces.map(([address, length]) => ({
    address,
    length,
    busAddress: address + BUS_OFFSET,
    busLength: length,
  }));
  return {
    device: 'dev',
    driver: 'driver',
    coherent: false,
    direction: 'from-device',
    attrs: 0,
    skipsSync: false,
    maxSegSize: 65536,
    segBoundary: 2 ** 32 - 1,
    isAllocation: false,
    entries,
    mapped: entries.length,
    ...fields,
  };
};

/** Coherent memory in one piece, which the CPU has in vmalloc's range. */
export const memoryOf = (address: number, size: number): DmaMemoryRange => ({
  device: 'dev',
  driver: 'driver',
  coherent: false,
  kind: 'coherent',
  size,
  direction: 'bidirectional',
  attrs: 0,
  busAddress: address + BUS_OFFSET,
  virtualAddress: 0xf000_0000 + (address - START),
  pieces: [{ address, size }],
});
