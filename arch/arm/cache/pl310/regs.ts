import { bit, defineRegisters, field } from '../../../../drivers/base/types/registers';

/** Maintenance of the line of an address: written, it begins; bit 0 reads as 1 while it lasts. */
const byAddress = { BUSY: bit(0).ro(), LINE: field(5, 27).wo() };

/**
 * L2C-310 (PL310) level 2 cache controller. Source: ARM DDI 0246.
 * Modelled: control, cache sync, maintenance by physical address and by way, shared override.
 */
export const PL310 = defineRegisters({
  name: 'pl310',
  size: 0x1000,
  registers: {
    CACHE_ID: { at: 0x000, access: 'ro', reset: 0x4100_00c8 },
    CACHE_TYPE: {
      at: 0x004,
      access: 'ro',
      reset: 0x1c10_0100,
      fields: {
        INSTRUCTION_LINE: field(0, 2),
        INSTRUCTION_ASSOCIATIVITY: bit(6),
        INSTRUCTION_WAY_SIZE: field(8, 3),
        DATA_LINE: field(12, 2),
        DATA_ASSOCIATIVITY: bit(18),
        DATA_WAY_SIZE: field(20, 3),
        SEPARATE: bit(24),
        LOCKDOWN_FORMAT: field(25, 4),
        DATA_BANKING: bit(31),
      },
      note: 'associativity and way sizes as AUX_CTRL has them',
    },
    CTRL: { at: 0x100, fields: { EN: bit(0) } },
    AUX_CTRL: {
      at: 0x104,
      reset: 0x0202_0000,
      fields: {
        FULL_LINE_ZERO: bit(0),
        HIGH_PRIORITY_SO: bit(10),
        STORE_LIMITATION: bit(11),
        EXCLUSIVE: bit(12).unimplemented(),
        ASSOCIATIVITY: bit(16),
        WAY_SIZE: field(17, 3),
        EVENT_BUS: bit(20),
        PARITY: bit(21),
        SHARED_OVERRIDE: bit(22),
        FORCE_WRITE_ALLOCATE: field(23, 2).unimplemented(),
        REPLACEMENT: bit(25),
        NS_LOCKDOWN: bit(26),
        NS_INTERRUPT: bit(27),
        DATA_PREFETCH: bit(28),
        INSTRUCTION_PREFETCH: bit(29),
        EARLY_BRESP: bit(30),
      },
    },
    TAG_LATENCY: { at: 0x108, reset: 0x777, note: 'no timing is derived from it' },
    DATA_LATENCY: { at: 0x10c, reset: 0x777, note: 'no timing is derived from it' },
    EVENT_COUNTER_CTRL: { at: 0x200, unimplemented: true },
    INT_MASK: { at: 0x214 },
    INT_MASK_STATUS: { at: 0x218, access: 'ro' },
    INT_RAW_STATUS: { at: 0x21c, access: 'ro' },
    INT_CLEAR: { at: 0x220, access: 'wo' },
    CACHE_SYNC: { at: 0x730, fields: { BUSY: bit(0).ro() } },
    INV_PA: { at: 0x770, fields: byAddress, note: 'atomic: never busy' },
    INV_WAY: { at: 0x77c, note: 'background: a way reads as 1 until it is done' },
    CLEAN_PA: { at: 0x7b0, fields: byAddress, note: 'atomic: never busy' },
    CLEAN_INDEX: { at: 0x7b8, unimplemented: true },
    CLEAN_WAY: { at: 0x7bc },
    CLEAN_INV_PA: { at: 0x7f0, fields: byAddress, note: 'atomic: never busy' },
    CLEAN_INV_INDEX: { at: 0x7f8, unimplemented: true },
    CLEAN_INV_WAY: { at: 0x7fc },
    LOCKDOWN: { at: 0x900, count: 16, unimplemented: true },
    ADDR_FILTER_START: { at: 0xc00, note: 'kept, no address is filtered' },
    ADDR_FILTER_END: { at: 0xc04, note: 'kept, no address is filtered' },
    DEBUG_CTRL: {
      at: 0xf40,
      fields: {
        DISABLE_LINEFILL: bit(0).unimplemented(),
        DISABLE_WRITE_BACK: bit(1).unimplemented(),
        SPNIDEN: bit(2).ro(),
      },
    },
    PREFETCH_CTRL: { at: 0xf60, note: 'prefetch is what the run does spontaneously' },
    POWER_CTRL: { at: 0xf80 },
  },
  notModelled: [
    'lockdown by line, way and master',
    'event counters, interrupts for errors',
    'address filtering',
    'exclusive configuration',
    'maintenance while an operation by way runs',
    'AUX_CTRL written while the cache is on',
  ],
});

/** What a maintenance register by physical address takes: the line address, bits 31:5. */
export const PA_LINE_MASK = 0xffff_ffe0;
