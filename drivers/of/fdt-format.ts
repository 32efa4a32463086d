/*
 * The flattened device tree's layout: Devicetree Specification 0.4, chapter 5. All numbers are
 * big-endian. A blob is a header, the memory reservation block, the structure block (tokens,
 * each aligned to 4 bytes) and the strings block (property names, NUL-terminated).
 */

export const FDT_MAGIC = 0xd00dfeed;

/** Byte offsets of the header's words. */
export const HEADER = {
  magic: 0,
  totalSize: 4,
  structOffset: 8,
  stringsOffset: 12,
  reserveOffset: 16,
  version: 20,
  lastCompVersion: 24,
  bootCpu: 28,
  stringsSize: 32,
  /** From version 17 on. */
  structSize: 36,
} as const;

export const HEADER_SIZE_V16 = 36;
export const HEADER_SIZE_V17 = 40;

/** The newest version known here, and the oldest it can be read as. */
export const FDT_VERSION = 17;
export const FDT_COMPATIBLE_VERSION = 16;

export const FDT_BEGIN_NODE = 1;
export const FDT_END_NODE = 2;
export const FDT_PROP = 3;
export const FDT_NOP = 4;
export const FDT_END = 9;

export const TOKEN_SIZE = 4;
export const RESERVE_ALIGNMENT = 8;
/** Address and size; an entry of size 0 ends the block. */
export const RESERVE_ENTRY_SIZE = 16;
