import { address, bits } from './words';

/*
 * Records of the event queue (Arm IHI 0070, chapter 7).
 */

/** Values of EVENT.ID. */
export const EventId = {
  /** C_BAD_STREAMID. */
  BadStreamId: 0x02,
  /** F_STE_FETCH. */
  SteFetch: 0x03,
  /** C_BAD_STE. */
  BadSte: 0x04,
  /** F_STREAM_DISABLED. */
  StreamDisabled: 0x06,
  /** F_CD_FETCH. */
  CdFetch: 0x09,
  /** C_BAD_CD. */
  BadCd: 0x0a,
  /** F_WALK_EABT. */
  WalkExternalAbort: 0x0b,
  /** F_TRANSLATION. */
  Translation: 0x10,
  /** F_ADDR_SIZE. */
  AddressSize: 0x11,
  /** F_ACCESS. */
  AccessFlag: 0x12,
  /** F_PERMISSION. */
  Permission: 0x13,
} as const;
export type EventId = (typeof EventId)[keyof typeof EventId];

/** Values of EVENT.CLASS: what was accessed. */
export const EventClass = { Cd: 0, TranslationTable: 1, Input: 2 } as const;

/** An event record: 32 bytes. */
export const EVENT = {
  SIZE: 32,
  WORDS: 8,
  ID: bits(0, 0, 8),
  SSV: bits(0, 11),
  SSID: bits(0, 12, 20),
  SID: bits(0, 32, 32),
  STAG: bits(1, 0, 16),
  STALL: bits(1, 31),
  PNU: bits(1, 33),
  IND: bits(1, 34),
  RNW: bits(1, 35),
  S2: bits(1, 39),
  CLASS: bits(1, 40, 2),
  INPUT: address(2, 0),
  /** Address bits that `address` leaves out. */
  INPUT_TOP: bits(2, 52, 12),
  IPA: address(3, 12),
  FETCH: address(3, 3),
} as const;
