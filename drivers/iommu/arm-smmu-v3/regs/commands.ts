import { address, bits } from './words';

/*
 * Entries of the command queue (Arm IHI 0070, chapter 4).
 */

/** Values of COMMAND.OP. Others that the architecture has are of what IDR0 says is not there. */
export const Opcode = {
  PrefetchConfig: 0x01,
  PrefetchAddr: 0x02,
  CfgiSte: 0x03,
  /** CFGI_STE_RANGE; with RANGE 31, CFGI_ALL. */
  CfgiSteRange: 0x04,
  CfgiCd: 0x05,
  CfgiCdAll: 0x06,
  TlbiNhAll: 0x10,
  TlbiNhAsid: 0x11,
  TlbiNhVa: 0x12,
  TlbiNhVaa: 0x13,
  TlbiS12VmAll: 0x28,
  TlbiS2Ipa: 0x2a,
  TlbiNsnhAll: 0x30,
  Resume: 0x44,
  StallTerm: 0x45,
  Sync: 0x46,
} as const;

/** Values of COMMAND.CS: how a CMD_SYNC says that it has completed. */
export const SyncSignal = { None: 0, Irq: 1, Sev: 2 } as const;

/** RANGE of a CFGI_STE_RANGE that is a CFGI_ALL. */
export const CFGI_ALL_RANGE = 31;

/** A command: 16 bytes. Which fields it has, its opcode decides. */
export const COMMAND = {
  SIZE: 16,
  WORDS: 4,
  OP: bits(0, 0, 8),
  SSV: bits(0, 11),
  SSID: bits(0, 12, 20),
  SID: bits(0, 32, 32),
  LEAF: bits(1, 0),
  RANGE: bits(1, 0, 5),
  VMID: bits(0, 32, 16),
  ASID: bits(0, 48, 16),
  ADDRESS: address(1, 12),
  /** Address bits that `address` leaves out: VAs have 64. */
  ADDRESS_TOP: bits(1, 52, 12),
  RESUME_AC: bits(0, 12),
  RESUME_AB: bits(0, 13),
  STAG: bits(1, 0, 16),
  CS: bits(0, 12, 2),
  MSH: bits(0, 22, 2),
  MSIATTR: bits(0, 24, 4),
  MSIDATA: bits(0, 32, 32),
  MSIADDRESS: address(1, 2),
} as const;
