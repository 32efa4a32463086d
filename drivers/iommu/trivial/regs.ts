import { bit, defineRegisters, field } from '../../base/types/registers';

/** The string that a tree names it by. */
export const COMPATIBLE: readonly string[] = ['dmabench,trivial-iommu'];

/** Streams that it tells apart: the cell of `iommus` is below. */
export const STREAMS = 8;
/** Entries of a table if the tree does not say: `dmabench,aperture-pages`. */
export const DEFAULT_APERTURE_PAGES = 0x1_0000;
/** Most of them: a table then translates 4 GiB. */
export const MOST_APERTURE_PAGES = 0x10_0000;

/** What a stream's transactions meet: values of STREAM.CTRL.MODE. */
export const StreamMode = { Bypass: 0, Translate: 1, Abort: 2 } as const;

/** Values of FAULT_INFO.CAUSE. */
export const FaultCause = {
  /** The stream is set to abort. */
  Abort: 1,
  /** Beyond the last entry of the table. */
  Aperture: 2,
  /** The entry is not valid. */
  Translation: 3,
  /** A write, and the entry does not permit it. */
  Permission: 4,
  /** Nobody answers where the table should be. */
  Walk: 5,
} as const;
export type FaultCause = (typeof FaultCause)[keyof typeof FaultCause];

/**
 * dmabench,trivial-iommu: one flat table of entries (ENTRY) a stream.
 *
 * While CTRL.ENABLE is clear, and of a stream whose MODE is 0, addresses pass unchanged. MODE 1
 * translates: page n of the addresses of the stream is where the n-th entry of the table at
 * STREAM.TABLE says, 4 KiB each, n below STREAM.PAGES. PAGES is at most APERTURE. MODE 2, like 3,
 * lets nothing pass. A transaction that does not pass is ended with a bus error and moves nothing of
 * that page; the first is described in FAULT_INFO and FAULT_LO/HI until STATUS.FAULT is cleared,
 * and those in between set STATUS.MULTIPLE only.
 *
 * Entries are read for transactions only, one at a time, as little-endian words of memory; past the
 * caches of the CPUs, or through them where the tree has the device `dma-coherent`. One that is
 * valid may be kept and used from then on, for ever or for no time at all, until an invalidation of
 * it has completed; one that is not valid is never kept. Writing INV_CMD begins an invalidation, of
 * the one entry that INV_ENTRY names or of all of all streams; it has completed when INV_STATUS.BUSY
 * has fallen, 100 ns later. A command during one is ignored. A change of TABLE, PAGES or MODE
 * invalidates nothing.
 */
export const TRIVIAL_IOMMU = defineRegisters({
  name: 'trivial-iommu',
  size: 0x1000,
  registers: {
    ID: { at: 0x00, access: 'ro', reset: 0x494f_0001 },
    APERTURE: {
      at: 0x04,
      access: 'ro',
      reset: DEFAULT_APERTURE_PAGES,
      fields: { PAGES: field(0, 21) },
      note: 'as the board has it',
    },
    CTRL: { at: 0x08, fields: { ENABLE: bit(0) } },
    STATUS: { at: 0x0c, fields: { FAULT: bit(0).w1c(), MULTIPLE: bit(1).w1c() } },
    IRQ_ENABLE: { at: 0x10, fields: { FAULT: bit(0) } },
    FAULT_INFO: {
      at: 0x14,
      access: 'ro',
      fields: { STREAM: field(0, 3), WRITE: bit(4), CAUSE: field(8, 3) },
    },
    FAULT_LO: { at: 0x18, access: 'ro', note: 'of the first byte that did not pass' },
    FAULT_HI: { at: 0x1c, access: 'ro' },
    INV_ENTRY: { at: 0x20, fields: { STREAM: field(0, 3), PAGE: field(12, 20) } },
    INV_CMD: { at: 0x24, access: 'wo', fields: { ONE: bit(0), ALL: bit(1) } },
    INV_STATUS: { at: 0x28, access: 'ro', fields: { BUSY: bit(0) } },
  },
  arrays: {
    STREAM: {
      at: 0x100,
      stride: 0x10,
      count: STREAMS,
      registers: {
        CTRL: { at: 0x0, fields: { MODE: field(0, 2) } },
        TABLE: { at: 0x4, fields: { FRAME: field(0, 28) }, note: 'its address, in pages' },
        PAGES: { at: 0x8, fields: { COUNT: field(0, 21) } },
      },
    },
  },
  notModelled: [
    'entries that are fetched ahead of the transaction that needs them',
    'time that a walk takes',
  ],
});

/**
 * An entry: a little-endian word. It permits reading if it is valid; FRAME is the number of the page
 * that it leads to.
 */
export const ENTRY = { VALID: bit(0), WRITE: bit(1), FRAME: field(4, 28) } as const;

/** Bytes of an entry, and what one translates. */
export const ENTRY_SIZE = 4;
export const ENTRY_SPAN = 4096;
