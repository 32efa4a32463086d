import type { CpuAddr } from '../drivers/base/types/address';
import { offsetBy } from '../drivers/base/types/address';
import type { RegisterIo } from '../drivers/base/kernel/registers';

/*
 * The kernel's memset and memcpy: loads and stores of the CPU, in aligned words as far as possible,
 * so that they may be used on any memory, a device's and an uncached one too.
 */

const WORD = 4;

/** Loads and stores without barriers, as of KernelIo.relaxed. */
export type Accesses = Pick<RegisterIo, 'readb' | 'readl' | 'writeb' | 'writel'>;

/** Calls `word` or `byte` for each piece of [0, size): words where `start + offset` is aligned. */
const eachPiece = (
  start: number,
  size: number,
  word: (offset: number) => void,
  byte: (offset: number) => void,
): void => {
  let offset = 0;
  while (offset < size) {
    if ((start + offset) % WORD === 0 && offset + WORD <= size) {
      word(offset);
      offset += WORD;
    } else {
      byte(offset);
      offset++;
    }
  }
};

/** Stores `value`, a byte, in each of `size` bytes. */
export const memset = (io: Accesses, to: CpuAddr, value: number, size: number): void => {
  const word = value * 0x0101_0101;
  eachPiece(
    to,
    size,
    offset => {
      io.writel(word, offsetBy(to, offset));
    },
    offset => {
      io.writeb(value, offsetBy(to, offset));
    },
  );
};

/** Copies `size` bytes that do not overlap. */
export const memcpy = (io: Accesses, to: CpuAddr, from: CpuAddr, size: number): void => {
  const copyByte = (offset: number): void => {
    io.writeb(io.readb(offsetBy(from, offset)), offsetBy(to, offset));
  };
  if ((to - from) % WORD !== 0) {
    for (let offset = 0; offset < size; offset++) copyByte(offset);
    return;
  }
  const copyWord = (offset: number): void => {
    io.writel(io.readl(offsetBy(from, offset)), offsetBy(to, offset));
  };
  eachPiece(to, size, copyWord, copyByte);
};

/** Where the first byte is that is not `value`; null: all are (memchr_inv). */
export const memchrInv = (
  io: Accesses,
  from: CpuAddr,
  value: number,
  size: number,
): CpuAddr | null => {
  for (let offset = 0; offset < size; offset++) {
    const address = offsetBy(from, offset);
    if (io.readb(address) !== value) return address;
  }
  return null;
};
