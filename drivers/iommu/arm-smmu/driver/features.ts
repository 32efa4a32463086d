import type { Device } from '../../../base/kernel/device';
import { ENODEV } from '../../../base/kernel/errno';
import { hex } from '../../../base/types/address';
import { GIB, KIB, MIB } from '../../../base/types/bits';
import { ADDRESS_BITS } from '../regs';
import type { SmmuRegisters } from './registers';

/** What Linux knows of an SMMU by its string (struct arm_smmu_match_data). */
export interface SmmuMatch {
  /** `1-64k`: version 1 with AArch64's tables in pages of 64 KiB. */
  readonly version: '1' | '1-64k' | '2';
  readonly isMmu500: boolean;
}

/** What the hardware can do, as far as Linux uses it (arm_smmu_device_cfg_probe). */
export interface SmmuFeatures {
  readonly match: SmmuMatch;
  readonly stage1: boolean;
  readonly stage2: boolean;
  /** Tables need not be cleaned for the walker: as the tree says, whatever IDR0 says. */
  readonly coherentWalk: boolean;
  /** Groups of the stream mapping: matched against, or one for each stream. */
  readonly groups: number;
  readonly isMatching: boolean;
  readonly streamIdMask: number;
  readonly banks: number;
  readonly stage2Banks: number;
  readonly vaBits: number;
  readonly ipaBits: number;
  readonly paBits: number;
  readonly aarch32Long: boolean;
  readonly aarch32Short: boolean;
  /** AArch64's granules, in KiB; none: it has no such tables. */
  readonly granules: readonly (4 | 16 | 64)[];
  /** Of all formats, as a sum. */
  readonly pageSizes: number;
}

const SIZES_SHORT = [4 * KIB, 64 * KIB, MIB, 16 * MIB];
const SIZES_OF: Readonly<Record<4 | 16 | 64, readonly number[]>> = {
  4: [4 * KIB, 2 * MIB, GIB],
  16: [16 * KIB, 32 * MIB],
  64: [64 * KIB, 512 * MIB],
};

const bitsOf = (code: number): number => ADDRESS_BITS[code] ?? 48;

/** What a register says, and what is said of it in the kernel's log. */
interface Probe {
  readonly dev: Device;
  readonly regs: SmmuRegisters;
  readonly say: (text: string) => void;
  /** Says why there is no SMMU that can be driven: -ENODEV. */
  readonly fail: (text: string) => number;
}

/**
 * Reads the identification registers, says what is there, and lays the register pages out. -ENODEV
 * for what cannot be.
 */
export const probeFeatures = (
  dev: Device,
  regs: SmmuRegisters,
  match: SmmuMatch,
  windowSize: number,
): SmmuFeatures | number => {
  const { log } = dev.services;
  const probe: Probe = {
    dev,
    regs,
    say: text => {
      log.device('info', dev, text);
    },
    fail: text => {
      log.device('err', dev, text);
      return -ENODEV;
    },
  };
  probe.say('probing hardware configuration...');
  probe.say(`SMMUv${match.version === '2' ? 2 : 1} with:`);
  const stages = probeStages(probe);
  if (typeof stages === 'number') return stages;
  const banks = probeBanks(probe, windowSize);
  if (typeof banks === 'number') return banks;
  return { match, ...stages, ...banks, ...probeFormats(probe, match, stages) };
};

type Stages = Pick<
  SmmuFeatures,
  'stage1' | 'stage2' | 'coherentWalk' | 'groups' | 'isMatching' | 'streamIdMask'
>;

/** IDR0. */
const probeStages = ({ dev, regs, say, fail }: Probe): Stages | number => {
  const { S1TS, S2TS, CTTW, SMS, NUMSMRG, NUMSIDB } = regs.gr0.IDR0.read();
  const [stage1, stage2] = [S1TS === 1, S2TS === 1];
  if (stage1) say('\tstage 1 translation');
  if (stage2) say('\tstage 2 translation');
  if (!stage1 && !stage2) return fail('\tno translation support!');
  const { coherent } = dev.dma;
  const isCoherentByRegister = CTTW === 1;
  if (coherent || isCoherentByRegister) say(`\t${coherent ? '' : 'non-'}coherent table walk`);
  if (coherent !== isCoherentByRegister) say('\t(IDR0.CTTW overridden by FW configuration)');
  const isMatching = SMS === 1;
  if (isMatching && NUMSMRG === 0) {
    return fail('stream-matching supported, but no SMRs present!');
  }
  const groups = isMatching ? NUMSMRG : 2 ** NUMSIDB;
  if (isMatching) say(`\tstream matching with ${groups} register groups`);
  const streamIdMask = 2 ** NUMSIDB - 1;
  return { stage1, stage2, coherentWalk: coherent, groups, isMatching, streamIdMask };
};

/** IDR1. */
const probeBanks = (
  { dev, regs, say, fail }: Probe,
  windowSize: number,
): Pick<SmmuFeatures, 'banks' | 'stage2Banks'> | number => {
  const { PAGESIZE, NUMPAGENDXB, NUMCB: banks, NUMS2CB: stage2Banks } = regs.gr0.IDR1.read();
  const pageSize = PAGESIZE === 1 ? 64 * KIB : 4 * KIB;
  const pages = 2 ** (NUMPAGENDXB + 1);
  const size = hex(2 * pages * pageSize);
  if (size !== hex(windowSize)) {
    const text = `SMMU address space size (${size}) differs from mapped region size (${hex(windowSize)})!`;
    dev.services.log.device('warn', dev, text);
  }
  regs.layOut(pageSize, pages);
  if (stage2Banks > banks) return fail('impossible number of S2 context banks!');
  say(`\t${banks} context banks (${stage2Banks} stage-2 only)`);
  return { banks, stage2Banks };
};

/** IDR2, and the formats of IDR0. */
const probeFormats = (
  { regs, say }: Probe,
  match: SmmuMatch,
  { stage1, stage2 }: Stages,
): Omit<SmmuFeatures, keyof Stages | 'match' | 'banks' | 'stage2Banks'> => {
  const id0 = regs.gr0.IDR0.read();
  const id2 = regs.gr0.IDR2.read();
  const isSecond = match.version === '2';
  const ipaBits = bitsOf(id2.IAS);
  const paBits = bitsOf(id2.OAS);
  const vaBits = isSecond ? bitsOf(id2.UBS) : ipaBits;
  const aarch32Long = !isSecond || id0.PTFS_NO_AARCH32 === 0;
  const aarch32Short = aarch32Long && (!isSecond || id0.PTFS_NO_AARCH32S === 0);
  const granules = granulesOf(match, id2);
  const pageSizes = sizesOf(aarch32Short, aarch32Long, granules);
  say(`\tSupported page sizes: 0x${pageSizes.toString(16).padStart(8, '0')}`);
  if (stage1) say(`\tStage-1: ${vaBits}-bit VA -> ${ipaBits}-bit IPA`);
  if (stage2) say(`\tStage-2: ${ipaBits}-bit IPA -> ${paBits}-bit PA`);
  return { vaBits, ipaBits, paBits, aarch32Long, aarch32Short, granules, pageSizes };
};

const granulesOf = (
  { version }: SmmuMatch,
  id2: { readonly PTFS_4K: number; readonly PTFS_16K: number; readonly PTFS_64K: number },
): readonly (4 | 16 | 64)[] => {
  if (version !== '2') return version === '1-64k' ? [64] : [];
  const granules: (4 | 16 | 64)[] = [];
  if (id2.PTFS_4K === 1) granules.push(4);
  if (id2.PTFS_16K === 1) granules.push(16);
  if (id2.PTFS_64K === 1) granules.push(64);
  return granules;
};

const sizesOf = (
  aarch32Short: boolean,
  aarch32Long: boolean,
  granules: readonly (4 | 16 | 64)[],
): number => {
  const sizes = new Set([
    ...(aarch32Short ? SIZES_SHORT : []),
    ...(aarch32Long ? SIZES_OF[4] : []),
    ...granules.flatMap(granule => SIZES_OF[granule]),
  ]);
  return [...sizes].reduce((sum, size) => sum + size, 0);
};
