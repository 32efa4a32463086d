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
 *
 * A ring of RING_ENTRIES descriptors (DESCRIPTOR) at RING_ADDRESS gives the same work by memory.
 * RING_HEAD is the descriptor that is next. Those before RING_TAIL are promised: each is read, done
 * and given back. Beyond them the device looks, RING_POLLS times at most and 100 ns apart, at the
 * word with OWN alone, and reads the rest once OWN is set; RING_TAIL then moves along. What a
 * descriptor says is read before its data is touched; the word with OWN is written back last. One
 * that is promised without OWN stops the ring: HALTED. BUSY is set while a descriptor is worked on,
 * and DONE after each. Writing RING_ENTRIES starts anew: HALTED, RING_HEAD, RING_TAIL and RING_POLLS
 * are cleared, as RING_POLLS is by ABORT.
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
      fields: {
        BUSY: bit(0).ro(),
        DONE: bit(1).w1c(),
        HALTED: bit(2).ro(),
        RESULT: field(4, 3).ro(),
      },
    },
    IRQ_ENABLE: { at: 0x1c, fields: { DONE: bit(0) } },
    MISMATCHES: { at: 0x20, access: 'ro', note: 'bytes of the last CHECK that differed' },
    FIRST_MISMATCH: { at: 0x24, access: 'ro', note: 'offset of the first of them' },
    RING_ADDRESS_LO: { at: 0x28 },
    RING_ADDRESS_HI: { at: 0x2c },
    RING_ENTRIES: { at: 0x30, fields: { COUNT: field(0, 9) }, note: '0: no ring' },
    RING_TAIL: { at: 0x34, fields: { INDEX: field(0, 8) }, note: 'the first that is not promised' },
    RING_HEAD: { at: 0x38, access: 'ro', note: 'the next that the device works on' },
    RING_POLLS: { at: 0x3c, fields: { COUNT: field(0, 16) }, note: 'how often it still looks' },
  },
  notModelled: [
    'bandwidth: a byte takes a nanosecond, whatever else the bus carries; a descriptor takes 200 ns, whatever it says',
  ],
});

/** Most descriptors of a ring. */
export const MAX_ENTRIES = 256;

/**
 * A descriptor of the ring: six little-endian words at these offsets, one descriptor every SIZE
 * bytes. The driver fills them in and sets OWN in FLAGS last, with WRITE for a WRITE command, else
 * it is a CHECK. The device sets MISMATCHES, then replaces FLAGS: OWN clear, DONE, and RESULT.
 */
export const DESCRIPTOR = {
  SIZE: 32,
  FLAGS: 0,
  LENGTH: 4,
  ADDRESS_LO: 8,
  ADDRESS_HI: 12,
  SEED: 16,
  MISMATCHES: 20,
} as const;

/** Fields of DESCRIPTOR.FLAGS. */
export const DESCRIPTOR_FLAGS = {
  OWN: bit(31),
  DONE: bit(30),
  WRITE: bit(0),
  RESULT: field(4, 3),
} as const;

/** The byte of the pattern at an offset: neighbouring bytes, lines and seeds all differ. */
export const patternByte = (seed: number, offset: number): number => {
  const mixed = Math.imul((offset + 1) ^ Math.imul(seed, 0x9e37_79b1), 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 15)) & 0xff;
};
