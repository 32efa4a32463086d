import type { Direction } from '../drivers/base/types/observer';

/** How a mapping was made; each has its own call to end it. */
export type EntryType = 'single' | 'scatter-gather' | 'coherent' | 'resource' | 'noncoherent';

const DIRECTIONS: Readonly<Record<Direction, string>> = {
  'to-device': 'DMA_TO_DEVICE',
  'from-device': 'DMA_FROM_DEVICE',
  bidirectional: 'DMA_BIDIRECTIONAL',
};

/** The name of a direction in messages (dir2name). */
export const dir2name = (direction: Direction): string => DIRECTIONS[direction];

/** %016llx, with the 0x before it. */
export const hex16 = (address: number): string => `0x${address.toString(16).padStart(16, '0')}`;
