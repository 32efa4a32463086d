import type { Device } from '../../../base/kernel/device';
import { ENXIO } from '../../../base/kernel/errno';
import { OAS_BITS, STALL_MODEL, ST_LEVEL_TWO, TTENDIAN_LITTLE, TTF_AARCH64 } from '../regs';
import type { SmmuRegisters } from './registers';

/** What an SMMU has, as far as the driver uses it (arm_smmu_device_hw_probe). */
export interface SmmuFeatures {
  readonly stage1: boolean;
  readonly twoLevelTables: boolean;
  readonly stalls: boolean;
  readonly attributesOverride: boolean;
  /** CMD_SYNC completes by a write to memory, which the CPU sees by itself. */
  readonly syncMessages: boolean;
  readonly coherent: boolean;
  readonly sidBits: number;
  readonly asidBits: number;
  readonly vmidBits: number;
  /** Bits of input and of output addresses. */
  readonly ias: number;
  readonly oas: number;
  /** A sum of page sizes. */
  readonly pageSizes: number;
}

const GRANULES: readonly (readonly [name: 'GRAN4K' | 'GRAN16K' | 'GRAN64K', sizes: number])[] = [
  ['GRAN4K', 2 ** 12 + 2 ** 21 + 2 ** 30],
  ['GRAN16K', 2 ** 14 + 2 ** 25],
  ['GRAN64K', 2 ** 16 + 2 ** 29],
];

/** Input addresses without IDR5.VAX. */
const VA_BITS = 48;

/** -ENXIO for an SMMU that the driver cannot drive. */
export const probeFeatures = (dev: Device, regs: SmmuRegisters): SmmuFeatures | number => {
  const { log } = dev.services;
  const refuse = (text: string): number => {
    log.device('err', dev, text);
    return -ENXIO;
  };
  const idr0 = regs.IDR0.read();
  const idr1 = regs.IDR1.read();
  const idr5 = regs.IDR5.read();
  const coherent = idr0.COHACC === 1;
  if (coherent !== dev.dma.coherent) {
    log.device(
      'warn',
      dev,
      `IDR0.COHACC overridden by FW configuration (${String(dev.dma.coherent)})`,
    );
  }
  if (idr0.TTENDIAN !== TTENDIAN_LITTLE && idr0.TTENDIAN !== 0) {
    return refuse('unknown/unsupported TT endianness!');
  }
  if (idr0.S1P === 0 && idr0.S2P === 0) return refuse('no translation support!');
  if ((idr0.TTF & TTF_AARCH64) === 0) return refuse('AArch64 table format not supported!');
  if (idr1.TABLES_PRESET === 1 || idr1.QUEUES_PRESET === 1 || idr1.REL === 1) {
    return refuse('embedded implementation not supported');
  }
  const ias = Math.max(VA_BITS, OAS_BITS[idr5.OAS] ?? VA_BITS);
  return {
    stage1: idr0.S1P === 1,
    twoLevelTables: idr0.ST_LEVEL === ST_LEVEL_TWO,
    stalls: idr0.STALL_MODEL !== STALL_MODEL.TerminateOnly,
    attributesOverride: idr1.ATTR_TYPES_OVR === 1,
    syncMessages: idr0.MSI === 1 && dev.dma.coherent,
    coherent: dev.dma.coherent,
    sidBits: idr1.SIDSIZE,
    asidBits: idr0.ASID16 === 1 ? 16 : 8,
    vmidBits: idr0.VMID16 === 1 ? 16 : 8,
    ias: Math.min(ias, VA_BITS),
    oas: OAS_BITS[idr5.OAS] ?? VA_BITS,
    pageSizes: GRANULES.reduce((sum, [name, sizes]) => sum + (idr5[name] === 1 ? sizes : 0), 0),
  };
};
