import {
  OAS_BITS,
  SMMU_V3,
  STALL_MODEL,
  ST_LEVEL_TWO,
  TTENDIAN_LITTLE,
  TTF_AARCH64,
} from '../regs';
import { invariant } from '../../../base/types/errors';

/** How an SMMU was built: what its identification registers say. */
export interface Features {
  /** It looks into the caches of the CPUs: tables, and both queues. */
  readonly coherent: boolean;
  /** Stage 2 is always there. */
  readonly stage1: boolean;
  /** Bits of StreamIDs. */
  readonly sidBits: number;
  /** log2 of the most entries of a queue. */
  readonly commandsShift: number;
  readonly eventsShift: number;
  /** Bits of output addresses, of OAS_BITS. */
  readonly oas: number;
  readonly twoLevel: boolean;
  readonly stalls: boolean;
  /** Transactions that may wait at once. */
  readonly mostStalled: number;
}

/** What no tree says, and boards are taken to have. */
export const ASSUMED_FEATURES: Omit<Features, 'coherent'> = {
  stage1: true,
  sidBits: 16,
  commandsShift: 8,
  eventsShift: 7,
  oas: 48,
  twoLevel: true,
  stalls: true,
  mostStalled: 16,
};

const flag = (condition: boolean): number => (condition ? 1 : 0);

/** Reset values of the registers that say so. */
export const identification = (features: Features): Record<'IDR0' | 'IDR1' | 'IDR5', number> => {
  const { IDR0, IDR1, IDR5 } = SMMU_V3.registers;
  const oas = OAS_BITS.indexOf(features.oas);
  invariant(oas >= 0, `an SMMU with addresses of ${features.oas} bits`);
  return {
    IDR0:
      IDR0.fields.S2P.at(1) +
      IDR0.fields.S1P.at(flag(features.stage1)) +
      IDR0.fields.TTF.at(TTF_AARCH64) +
      IDR0.fields.COHACC.at(flag(features.coherent)) +
      IDR0.fields.ASID16.at(1) +
      IDR0.fields.MSI.at(1) +
      IDR0.fields.SEV.at(1) +
      IDR0.fields.VMID16.at(1) +
      IDR0.fields.TTENDIAN.at(TTENDIAN_LITTLE) +
      IDR0.fields.STALL_MODEL.at(features.stalls ? STALL_MODEL.Both : STALL_MODEL.TerminateOnly) +
      IDR0.fields.TERM_MODEL.at(1) +
      IDR0.fields.ST_LEVEL.at(features.twoLevel ? ST_LEVEL_TWO : 0),
    IDR1:
      IDR1.fields.SIDSIZE.at(features.sidBits) +
      IDR1.fields.EVENTQS.at(features.eventsShift) +
      IDR1.fields.CMDQS.at(features.commandsShift) +
      IDR1.fields.ATTR_TYPES_OVR.at(1),
    IDR5:
      IDR5.fields.OAS.at(oas) +
      IDR5.fields.GRAN4K.at(1) +
      IDR5.fields.GRAN16K.at(1) +
      IDR5.fields.GRAN64K.at(1) +
      IDR5.fields.STALL_MAX.at(features.mostStalled),
  };
};
