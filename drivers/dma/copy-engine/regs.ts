import { bit, defineRegisters, field } from '../../base/types/registers';

/** Channels of the engine. */
export const CHANNELS = 4;
/** Longest copy of one command, in bytes. */
export const MAX_LENGTH = 0x10_0000;

/**
 * dmabench,copy-engine: four channels that copy memory to memory, one interrupt.
 *
 * A channel is busy from START until its DONE or FAULT bit in IRQ_STAT is set; by then all it
 * read and wrote has reached memory. A START while the channel is busy or the engine is off is
 * ignored; one with a LENGTH beyond 1 MiB copies nothing and ends at once with FAULT and RESULT 1.
 * RESULT is 0, or what went wrong on the bus: 1 an error, 2 nobody answered, 4 an access that was
 * refused; if the source cannot be read, nothing is written. ABORT stops a channel; what it has moved so far is not defined.
 */
export const COPY_ENGINE = defineRegisters({
  name: 'copy-engine',
  size: 0x1000,
  registers: {
    ID: { at: 0x000, access: 'ro', reset: 0x4350_0001 },
    CTRL: { at: 0x004, fields: { EN: bit(0), CHAIN: bit(1).unimplemented() } },
    IRQ_STAT: {
      at: 0x008,
      fields: { DONE: field(0, CHANNELS).w1c(), FAULT: field(8, CHANNELS).w1c() },
    },
    IRQ_MASK: { at: 0x00c, fields: { DONE: field(0, CHANNELS), FAULT: field(8, CHANNELS) } },
  },
  arrays: {
    CH: {
      at: 0x100,
      stride: 0x40,
      count: CHANNELS,
      registers: {
        SRC_LO: { at: 0x00 },
        SRC_HI: { at: 0x04 },
        DST_LO: { at: 0x08 },
        DST_HI: { at: 0x0c },
        LENGTH: { at: 0x10, fields: { BYTES: field(0, 21) } },
        CMD: { at: 0x14, access: 'wo', fields: { START: bit(0), ABORT: bit(1) } },
        STATUS: { at: 0x18, access: 'ro', fields: { BUSY: bit(0), RESULT: field(4, 3) } },
      },
    },
  },
  notModelled: ['descriptor chains', 'priorities between channels'],
});
