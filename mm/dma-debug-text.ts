import { DMA_MAPPING_ERROR } from '../drivers/base/kernel/dma-mapping';
import { cpuAddr, hexCpu } from '../drivers/base/types/address';
import type { Direction } from '../drivers/base/types/observer';

/** Whose words and rules: they differ in few places. `newest`: mainline of 2026. */
export type DebugVersion = '6.1' | '6.12' | 'newest';

/** How a mapping was made; each has its own call to end it. */
export type EntryType =
  'single' | 'scatter-gather' | 'coherent' | 'resource' | 'noncoherent' | 'phy';

/** What is known of the driver's look at the result of a mapping. */
export type MapError = 'not applicable' | 'not checked' | 'checked';

const DIRECTIONS: Readonly<Record<Direction, string>> = {
  'to-device': 'DMA_TO_DEVICE',
  'from-device': 'DMA_FROM_DEVICE',
  bidirectional: 'DMA_BIDIRECTIONAL',
};

/** The name of a direction in messages (dir2name). */
export const dir2name = (direction: Direction): string => DIRECTIONS[direction];

/** The name of a type in messages (type2name), with the slip of 6.1. */
export const type2name = (type: EntryType, version: DebugVersion): string =>
  type === 'scatter-gather' && version === '6.1' ? 'scather-gather' : type;

const MAP_ERRORS: Readonly<Record<MapError, string>> = {
  'not applicable': 'dma map error check not applicable',
  'not checked': 'dma map error not checked',
  checked: 'dma map error checked',
};

/** maperr2str. */
export const maperr2str = (mapError: MapError): string => MAP_ERRORS[mapError];

/** How wide the types are in the kernel that speaks: they pad what it prints. */
export interface TypeWidths {
  /** Bytes of a pointer, as `%p` pads it. */
  readonly pointer: 4 | 8;
  /** Of a physical address and of a bus address, as `%pa` pads it: 8 with LPAE too. */
  readonly phys: 4 | 8;
}

/** %llx: what a mapping that failed has is all ones, as wide as a bus address. */
export const hexOf = (value: number, widths: TypeWidths): string =>
  value === DMA_MAPPING_ERROR ? 'f'.repeat(2 * widths.phys) : value.toString(16);

/** %016llx, with the 0x before it. */
export const hex16 = (value: number, widths: TypeWidths): string =>
  `0x${hexOf(value, widths).padStart(16, '0')}`;

/** %pa: it brings its own 0x. */
export const hexPhys = (value: number, { phys }: TypeWidths): string =>
  `0x${value.toString(16).padStart(2 * phys, '0')}`;

/** %p, as it is printed with no_hash_pointers. */
export const hexPointer = (address: number, { pointer }: TypeWidths): string =>
  hexCpu(cpuAddr(address))
    .slice(2)
    .padStart(2 * pointer, '0');
