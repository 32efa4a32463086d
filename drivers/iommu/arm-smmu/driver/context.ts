import {
  armLpae32S1,
  armLpae32S2,
  armLpae64S1,
  armLpae64S2,
} from '../../../../mm/io-pgtable/arm-lpae-config';
import type {
  LpaeTcr,
  LpaeTable,
  LpaeS1Config,
  LpaeS2Config,
} from '../../../../mm/io-pgtable/arm-lpae-config';
import { ArmV7sTable } from '../../../../mm/io-pgtable/arm-v7s';
import type { IoPgtable, IoPgtableConfig } from '../../../../mm/io-pgtable/types';
import { ARM_SMMU_CB, BankType, TCR } from '../regs';
import type { SmmuFeatures } from './features';
import { write64 } from './registers';
import type { SmmuRegisters } from './registers';

/** Formats of tables, as Linux chooses among them (enum arm_smmu_context_fmt). */
export type ContextFormat = 'aarch64' | 'aarch32-long' | 'aarch32-short';

/** How the kernel was built. */
export interface KernelBuild {
  readonly is64Bit: boolean;
  readonly lpae: boolean;
}

/** Which stage and format a domain gets. */
export interface ContextKind {
  readonly stage: 1 | 2;
  readonly format: ContextFormat;
}

/**
 * Stage 1 if there is one; of the formats the one that is closest to the kernel's own. Null: there is
 * none (arm_smmu_init_domain_context).
 */
export const contextKind = (features: SmmuFeatures, build: KernelBuild): ContextKind | null => {
  const stage = features.stage1 ? 1 : 2;
  let format: ContextFormat | null = features.aarch32Long ? 'aarch32-long' : null;
  if (!build.is64Bit && !build.lpae && features.aarch32Short && stage === 1) {
    format = 'aarch32-short';
  }
  if ((build.is64Bit || format === null) && features.granules.length > 0) format = 'aarch64';
  return format === null ? null : { stage, format };
};

/** What the registers of a context bank are to have (struct arm_smmu_cb). */
export interface ContextRegisters {
  readonly ttbr0: number;
  readonly ttbr1: number;
  readonly tcr: number;
  readonly tcr2: number;
  readonly mair0: number;
  readonly mair1: number;
}

/** A table of a domain, and what leads the hardware to it. */
export interface ContextTable {
  readonly table: IoPgtable;
  readonly registers: ContextRegisters;
}

const SEP_UPSTREAM = 7;
const VTCR_RES1 = TCR.EAE.at(1);

/** A table for a context; null where the format does not have it, and without memory. */
export const makeContextTable = (
  { stage, format }: ContextKind,
  { vaBits, ipaBits, paBits }: SmmuFeatures,
  config: Omit<IoPgtableConfig, 'ias' | 'oas'>,
): ContextTable | null => {
  if (format === 'aarch32-short') {
    const [ias, oas] = [Math.min(vaBits, 32), Math.min(ipaBits, 32)];
    const table = ArmV7sTable.make({ ...config, ias, oas });
    return table && shortContext(table);
  }
  const is64 = format === 'aarch64';
  if (stage === 1) {
    const ias = is64 ? vaBits : Math.min(vaBits, 32);
    const oas = is64 ? ipaBits : Math.min(ipaBits, 40);
    const made = (is64 ? armLpae64S1 : armLpae32S1)({ ...config, ias, oas });
    return made && stage1Context(made, is64);
  }
  const ias = is64 ? ipaBits : Math.min(ipaBits, 40);
  const oas = is64 ? paBits : Math.min(paBits, 40);
  const made = (is64 ? armLpae64S2 : armLpae32S2)({ ...config, ias, oas });
  return made && stage2Context(made);
};

const shortContext = (table: ArmV7sTable): ContextTable => {
  const { ttbr, tcr, prrr, nmrr } = table.config;
  return {
    table,
    registers: { ttbr0: ttbr, ttbr1: 0, tcr, tcr2: 0, mair0: prrr, mair1: nmrr },
  };
};

const stage1Context = (
  { table, config: { ttbr, tcr, mair, mairHigh } }: LpaeTable<LpaeS1Config>,
  is64: boolean,
): ContextTable => ({
  table,
  registers: {
    ttbr0: ttbr,
    ttbr1: 0,
    tcr: tcrOf(tcr) + TCR.EPD1.at(1) + (is64 ? 0 : TCR.EAE.at(1)),
    tcr2: tcr2Of(tcr, is64),
    mair0: mair,
    mair1: mairHigh,
  },
});

const tcrOf = ({ tsz, tg, sh, orgn, irgn }: Omit<LpaeTcr, 'ips'>): number =>
  TCR.T0SZ.at(tsz) + TCR.TG0.at(tg) + TCR.SH0.at(sh) + TCR.ORGN0.at(orgn) + TCR.IRGN0.at(irgn);

const tcr2Of = ({ ips }: LpaeTcr, is64: boolean): number => {
  const { PASIZE, AS, SEP } = ARM_SMMU_CB.registers.TCR2.fields;
  return PASIZE.at(ips) + SEP.at(SEP_UPSTREAM) + AS.at(is64 ? 1 : 0);
};

const stage2Context = ({
  table,
  config: { vttbr, vtcr },
}: LpaeTable<LpaeS2Config>): ContextTable => ({
  table,
  registers: {
    ttbr0: vttbr,
    ttbr1: 0,
    tcr: VTCR_RES1 + tcrOf(vtcr) + TCR.PS.at(vtcr.ps) + TCR.SL0.at(vtcr.sl),
    tcr2: 0,
    mair0: 0,
    mair1: 0,
  },
});

/** A bank that is used: whose it is, and what its registers have. */
export interface Context extends ContextKind {
  readonly bank: number;
  /** Of stage 1, and of stage 2. */
  readonly asid: number;
  readonly vmid: number;
  /** Version 1: which of the context interrupts. */
  readonly interrupt: number;
  readonly registers: ContextRegisters;
  /** Nobody hears of its faults, and so nobody clears them: what follows goes on nevertheless. */
  readonly isUnheard: boolean;
}

const NON_SHAREABLE = 3;
const WRITE_BACK = 0xf;

/** Turns a bank off (arm_smmu_write_context_bank of an unassigned one). */
export const disableBank = (regs: SmmuRegisters, bank: number): void => {
  regs.bank(bank).SCTLR.write(0);
};

/** Gives a bank its registers, and turns it on last (arm_smmu_write_context_bank). */
export const enableBank = (regs: SmmuRegisters, context: Context, features: SmmuFeatures): void => {
  const { stage, format, bank: index, asid, vmid, interrupt, registers } = context;
  const isFirst = features.match.version !== '2';
  const bank = regs.bank(index);
  const isStage1 = stage === 1;
  if (!isFirst) regs.gr1.CBA2R(index).write({ VA64: format === 'aarch64' ? 1 : 0 });
  const irptndx = isFirst ? { IRPTNDX: interrupt } : {};
  regs.gr1
    .CBAR(index)
    .write(
      isStage1
        ? { TYPE: BankType.Stage1, BPSHCFG: NON_SHAREABLE, MEMATTR: WRITE_BACK, ...irptndx }
        : { TYPE: BankType.Stage2, VMID: vmid, ...irptndx },
    );
  if (isStage1 && !isFirst) bank.TCR2.write(registers.tcr2);
  bank.TCR.write(registers.tcr);
  if (format === 'aarch32-short') {
    bank.CONTEXTIDR.write({ ASID: asid });
    bank.TTBR0.write(registers.ttbr0);
    bank.TTBR1.write(registers.ttbr1);
  } else {
    const top = isStage1 ? asid * 2 ** 16 : 0;
    write64(bank.TTBR0, bank.TTBR0_HI, registers.ttbr0, top);
    if (isStage1) write64(bank.TTBR1, bank.TTBR1_HI, registers.ttbr1, top);
  }
  if (isStage1) {
    bank.MAIR0.write(registers.mair0);
    bank.MAIR1.write(registers.mair1);
  }
  bank.SCTLR.write({
    CFIE: 1,
    CFRE: 1,
    AFE: 1,
    TRE: 1,
    M: 1,
    ASIDPNE: isStage1 ? 1 : 0,
    HUPCF: context.isUnheard ? 1 : 0,
  });
};
