import type { Device } from '../../../base/kernel/device';
import { hex } from '../../../base/types/address';
import { join64 } from '../../../base/types/bits';
import type { RegisterValues } from '../../../base/kernel/registers';
import { ARM_SMMU_CB } from '../regs';
import type { SmmuRegisters } from './registers';

/** What a context bank tells of a fault (struct arm_smmu_context_fault_info). */
export interface ContextFault {
  readonly address: number;
  readonly fsr: number;
  readonly fsynr0: number;
  readonly cbfrsynra: number;
  readonly stream: number;
  readonly write: boolean;
  /** A transaction waits for RESUME. */
  readonly isStalled: boolean;
}

const { FSR, FSYNR0 } = ARM_SMMU_CB.registers;

/** The fault of a bank, or null if it has none. */
export const readContextFault = (regs: SmmuRegisters, index: number): ContextFault | null => {
  const bank = regs.bank(index);
  const fsr = bank.FSR.read();
  if ((fsr.value & FAULTS) === 0) return null;
  const { value: fsynr0, WNR } = bank.FSYNR0.read();
  const { value: cbfrsynra, SID: stream } = regs.gr1.CBFRSYNRA(index).read();
  const address = join64(bank.FAR.read().value, bank.FAR_HI.read().value);
  const isStalled = fsr.SS === 1;
  return { address, fsr: fsr.value, fsynr0, cbfrsynra, stream, write: WNR === 1, isStalled };
};

/** All that FSR says but its format. */
const FAULTS = Object.entries(FSR.fields).reduce(
  (mask, [name, field]) => (name === 'FORMAT' ? mask : (mask | field.mask) >>> 0),
  0,
);

const CAUSES = [
  ['TF', 'translation'],
  ['AFF', 'access flag'],
  ['PF', 'permission'],
  ['EF', 'external abort'],
  ['ASF', 'address size'],
] as const;

/** What a fault was, in the manual's words. */
export const causeOf = ({ fsr }: ContextFault): string =>
  CAUSES.find(([name]) => FSR.fields[name].of(fsr) === 1)?.[1] ?? `FSR ${hex(fsr)}`;

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');

/** As Linux says it of a fault that nobody takes care of (arm_smmu_print_context_fault_info). */
export const sayContextFault = (dev: Device, index: number, fault: ContextFault): void => {
  const { address, fsr, fsynr0, cbfrsynra, stream } = fault;
  const say = (text: string): void => {
    dev.services.log.device('err', dev, text);
  };
  const flagsOf = (
    fields: readonly (readonly [string, { of(value: number): number }])[],
    value: number,
  ): string =>
    fields.flatMap(([name, field]) => (field.of(value) === 1 ? [` ${name}`] : [])).join('');
  const iova = hex8(address);
  say(
    `Unhandled context fault: fsr=${hex(fsr)}, iova=0x${iova}, fsynr=${hex(fsynr0)}, cbfrsynra=${hex(cbfrsynra)}, cb=${index}`,
  );
  const { MULTI, SS, FORMAT, UUT, ASF, TLBLKF, TLBMCF, EF, PF, AFF, TF } = FSR.fields;
  const before = `${MULTI.of(fsr) === 1 ? 'MULTI ' : ''}${SS.of(fsr) === 1 ? 'SS ' : ''}`;
  const flags = flagsOf(Object.entries({ UUT, ASF, TLBLKF, TLBMCF, EF, PF, AFF, TF }), fsr);
  say(`FSR    = ${hex8(fsr)} [${before}Format=${FORMAT.of(fsr)}${flags}], SID=${hex(stream)}`);
  const { S1CBNDX, AFR, PTWF, NSATTR, IND, PNU, WNR, PLVL } = FSYNR0.fields;
  const syndrome = flagsOf(Object.entries({ AFR, PTWF, NSATTR, IND, PNU, WNR }), fsynr0);
  say(
    `FSYNR0 = ${hex8(fsynr0)} [S1CBNDX=${S1CBNDX.of(fsynr0)}${syndrome} PLVL=${PLVL.of(fsynr0)}]`,
  );
};

/** Tells of a fault of the global registers and clears it (arm_smmu_global_fault). False: none. */
export const handleGlobalFault = (dev: Device, { gr0 }: SmmuRegisters): boolean => {
  const gfsr: RegisterValues<typeof gr0.GFSR> & { readonly USF?: number } = gr0.GFSR.read();
  if (gfsr.value === 0) return false;
  const [synr0, synr1, synr2] = [gr0.GFSYNR0, gr0.GFSYNR1, gr0.GFSYNR2].map(
    register => register.read().value,
  );
  const say = (text: string): void => {
    dev.services.log.device('err', dev, text);
  };
  say(
    gfsr.USF === 1
      ? `Blocked unknown Stream ID ${hex(gr0.GFSYNR1.read().STREAMID)}; boot with "arm-smmu.disable_bypass=0" to allow, but this may have security implications`
      : 'Unexpected global fault, this could be serious',
  );
  const values = [synr0, synr1, synr2].map((value, i) => `GFSYNR${i} 0x${hex8(value ?? 0)}`);
  say(`\tGFSR 0x${hex8(gfsr.value)}, ${values.join(', ')}`);
  gr0.GFSR.write(gfsr.value);
  return true;
};
