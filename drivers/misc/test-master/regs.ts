import { bit, defineRegisters, field } from '../../base/types/registers';

/** Longest transfer of one command, in bytes. */
export const MAX_LENGTH = 0x4_0000;

/**
 * dmabench,test-master: a bus master that any bus can carry. It writes a pattern to memory, or
 * reads memory and compares it with the pattern: what a device does, without a purpose.
 *
 * A command takes ADDRESS, LENGTH and SEED as they are when it is written; it is ignored while
 * another one is under way. One with a LENGTH beyond 256 KiB moves nothing and is done at once, with
 * RESULT 1. BUSY falls and DONE rises together, when all of the transfer has reached memory. ABORT
 * stops a transfer without DONE; what it has moved so far is not defined.
 */
export const TEST_MASTER = defineRegisters({
  name: 'test-master',
  size: 0x1000,
  registers: {
    ID: { at: 0x00, access: 'ro', reset: 0x544d_0001 },
    ADDRESS_LO: { at: 0x04 },
    ADDRESS_HI: { at: 0x08 },
    LENGTH: { at: 0x0c, fields: { BYTES: field(0, 19) } },
    SEED: { at: 0x10 },
    CMD: { at: 0x14, access: 'wo', fields: { WRITE: bit(0), CHECK: bit(1), ABORT: bit(2) } },
    STATUS: {
      at: 0x18,
      fields: { BUSY: bit(0).ro(), DONE: bit(1).w1c(), RESULT: field(4, 3).ro() },
    },
    IRQ_ENABLE: { at: 0x1c, fields: { DONE: bit(0) } },
    MISMATCHES: { at: 0x20, access: 'ro', note: 'bytes of the last CHECK that differed' },
    FIRST_MISMATCH: { at: 0x24, access: 'ro', note: 'offset of the first of them' },
  },
  notModelled: ['bandwidth: a byte takes a nanosecond, whatever else the bus carries'],
});

/** The byte of the pattern at an offset: neighbouring bytes, lines and seeds all differ. */
export const patternByte = (seed: number, offset: number): number => {
  const mixed = Math.imul((offset + 1) ^ Math.imul(seed, 0x9e37_79b1), 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 15)) & 0xff;
};
