import type { Page } from '../drivers/base/kernel/dma-mapping';
import type { SgEntry } from '../drivers/base/kernel/scatterlist';
import type { CpuAddr } from '../drivers/base/types/address';
import { sgPieces } from './scatterlist';

/*
 * Copying between a buffer of the host, which nothing else sees, and a scatterlist, by loads and
 * stores of the CPU through kernel mappings (sg_copy_buffer in lib/scatterlist.c). Not modelled:
 * flush_dcache_page(), which is for pages that user mode has mapped, too.
 */

/** How the CPU reaches any page: see Kmap. */
export interface SgMemory {
  readonly kmap: { with<Value>(page: Page, body: (address: CpuAddr) => Value): Value };
  readonly cpu: {
    load8(address: number): number;
    store8(address: number, value: number): void;
  };
}

/** Calls `each` for the bytes of a list from `skip` on; how many there were, at most `most`. */
const walk = (
  { kmap }: SgMemory,
  entries: readonly SgEntry[],
  most: number,
  skip: number,
  each: (address: number, index: number) => void,
): number => {
  let done = 0;
  for (const { page, offset, length } of sgPieces(entries, skip)) {
    const bytes = Math.min(length, most - done);
    if (bytes === 0) break;
    kmap.with(page, address => {
      for (let i = 0; i < bytes; i++) each(address + offset + i, done + i);
    });
    done += bytes;
  }
  return done;
};

/** Fills `buffer` from byte `skip` of a list on; how many bytes there were (sg_pcopy_to_buffer). */
export const sgCopyToBuffer = (
  memory: SgMemory,
  entries: readonly SgEntry[],
  buffer: Uint8Array,
  skip = 0,
): number =>
  walk(memory, entries, buffer.length, skip, (address, index) => {
    buffer[index] = memory.cpu.load8(address);
  });

/** Stores `buffer` from byte `skip` of a list on; how many bytes fitted (sg_pcopy_from_buffer). */
export const sgCopyFromBuffer = (
  memory: SgMemory,
  entries: readonly SgEntry[],
  buffer: Uint8Array,
  skip = 0,
): number =>
  walk(memory, entries, buffer.length, skip, (address, index) => {
    memory.cpu.store8(address, buffer[index] ?? 0);
  });

/** Stores `length` zeros from byte `skip` of a list on; how many fitted (sg_zero_buffer). */
export const sgZeroBuffer = (
  memory: SgMemory,
  entries: readonly SgEntry[],
  length: number,
  skip = 0,
): number =>
  walk(memory, entries, length, skip, address => {
    memory.cpu.store8(address, 0);
  });
