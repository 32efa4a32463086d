import { bits } from './words';
import type { WordField, Words } from './words';
import { Opcode } from './commands';
import { CD, STE, SteConfig } from './tables';

/*
 * What structures in memory and commands can ask for, and the SMMU has not: each is told by its name
 * when it is asked for. The identification registers say that it is not there.
 */

/** A field that asks for something with all values but those that are `there`. */
export interface Absent {
  /** `STE.EATS`. */
  readonly name: string;
  readonly field: WordField;
  readonly there: readonly number[];
  readonly what: string;
  /** STE.CONFIG or COMMAND.OP with which the field is looked at; null: with all. */
  readonly where: readonly number[] | null;
  /** The architecture has it and software may rely on it: to ask for it is an UnmodelledError. */
  readonly isGap?: true;
}

const STAGE1 = [SteConfig.Stage1];
const STAGE2 = [SteConfig.Stage2];
const EITHER = [...STAGE1, ...STAGE2];

export const ABSENT_IN_STE: readonly Absent[] = [
  {
    name: 'STE.CONFIG',
    field: STE.CONFIG,
    there: [0, 1, 2, 3, SteConfig.Bypass, SteConfig.Stage1, SteConfig.Stage2],
    what: 'stage 1 behind stage 2',
    where: null,
  },
  { name: 'STE.S1CDMAX', field: STE.S1CDMAX, there: [0], what: 'substreams', where: STAGE1 },
  { name: 'STE.EATS', field: STE.EATS, there: [0], what: 'ATS', where: EITHER },
  { name: 'STE.STRW', field: STE.STRW, there: [0], what: 'worlds of EL2 and EL3', where: EITHER },
  {
    name: 'STE.S2AA64',
    field: STE.S2AA64,
    there: [1],
    what: 'tables of AArch32 behind stage 2',
    where: STAGE2,
    isGap: true,
  },
  { name: 'STE.S2ENDI', field: STE.S2ENDI, there: [0], what: 'big-endian tables', where: STAGE2 },
  { name: 'STE.S2HD', field: STE.S2HD, there: [0], what: 'HTTU', where: STAGE2 },
  { name: 'STE.S2HA', field: STE.S2HA, there: [0], what: 'HTTU', where: STAGE2 },
];

export const ABSENT_IN_CD: readonly Absent[] = [
  {
    name: 'CD.AA64',
    field: CD.AA64,
    there: [1],
    what: 'tables of AArch32',
    where: null,
    isGap: true,
  },
  { name: 'CD.EPD1', field: CD.EPD1, there: [1], what: 'tables of TTB1', where: null, isGap: true },
  {
    name: 'CD.TBI0',
    field: CD.TBI0,
    there: [0],
    what: 'tagged addresses',
    where: null,
    isGap: true,
  },
  { name: 'CD.ENDI', field: CD.ENDI, there: [0], what: 'big-endian tables', where: null },
  { name: 'CD.HD', field: CD.HD, there: [0], what: 'HTTU', where: null },
  { name: 'CD.HA', field: CD.HA, there: [0], what: 'HTTU', where: null },
];

const OF_SUBSTREAM = [Opcode.PrefetchConfig, Opcode.PrefetchAddr, Opcode.CfgiCd];
const OF_ADDRESS = [Opcode.TlbiNhVa, Opcode.TlbiNhVaa, Opcode.TlbiS2Ipa];
const RANGES = 'invalidation of ranges (RIL)';

export const ABSENT_IN_COMMAND: readonly Absent[] = [
  {
    name: 'COMMAND.SSID',
    field: bits(0, 12, 20),
    there: [0],
    what: 'substreams',
    where: OF_SUBSTREAM,
  },
  { name: 'COMMAND.NUM', field: bits(0, 12, 5), there: [0], what: RANGES, where: OF_ADDRESS },
  { name: 'COMMAND.SCALE', field: bits(0, 20, 5), there: [0], what: RANGES, where: OF_ADDRESS },
  { name: 'COMMAND.TTL', field: bits(1, 8, 2), there: [0], what: RANGES, where: OF_ADDRESS },
  { name: 'COMMAND.TG', field: bits(1, 10, 2), there: [0], what: RANGES, where: OF_ADDRESS },
];

/** Commands that the architecture has beyond `Opcode`, by their names: of what is not there. */
export const ABSENT_COMMANDS: ReadonlyMap<number, string> = new Map([
  [0x20, 'CMD_TLBI_EL2_ALL'],
  [0x21, 'CMD_TLBI_EL2_ASID'],
  [0x22, 'CMD_TLBI_EL2_VA'],
  [0x23, 'CMD_TLBI_EL2_VAA'],
  [0x40, 'CMD_ATC_INV'],
  [0x41, 'CMD_PRI_RESP'],
]);

/** What a structure with this CONFIG, or a command with this OP, asks for and is not there. */
export const askedOf = (list: readonly Absent[], words: Words, code: number): Absent[] =>
  list.filter(
    ({ field, there, where }) =>
      (where === null || where.includes(code)) && !there.includes(field.of(words)),
  );
