import type { Device } from '../../../base/kernel/device';
import type { PgtableFlush } from '../../../../mm/io-pgtable/types';
import type { Context } from './context';
import type { SmmuFeatures } from './features';
import { write64 } from './registers';
import type { SmmuRegisters } from './registers';

const PAGE = 4096;

/** How a context's entries in the TLB are ended. */
export interface ContextTlb {
  /** What a table asks for when it changes. */
  readonly flush: PgtableFlush;
  /** Waits for what was invalidated of pages (arm_smmu_iotlb_sync). */
  readonly sync: () => void;
}

/**
 * Invalidation of a context (arm_smmu_s1_tlb_ops, arm_smmu_s2_tlb_ops_v2 and _v1). Pages are
 * invalidated as they are unmapped, and waited for together. Version 1 has no invalidation by address
 * for stage 2: each page takes the whole VMID. Where the walker snoops, no cleaning of a table has
 * ordered the stores to it before the commands.
 */
export const contextTlb = (
  dev: Device,
  regs: SmmuRegisters,
  features: SmmuFeatures,
  context: Pick<Context, 'stage' | 'format' | 'bank' | 'asid' | 'vmid'>,
): ContextTlb => {
  const { stage, format, bank: index, asid, vmid } = context;
  const is64 = format === 'aarch64';
  const isFirst = features.match.version !== '2';
  const bank = regs.bank(index);
  const { barriers } = dev.services;

  const orderStores = (): void => {
    if (features.coherentWalk) barriers.wmb();
  };
  const flushAll = (): void => {
    barriers.wmb();
    if (stage === 1) {
      bank.TLBIASID.write({ ASID: asid });
      regs.syncBank(index);
    } else {
      regs.gr0.TLBIVMID.write({ VMID: vmid });
      regs.syncGlobal();
    }
  };
  const stage1Range = (iova: number, size: number, granule: number, isLeaf: boolean): void => {
    const [low, high] = isLeaf ? [bank.TLBIVAL, bank.TLBIVAL_HI] : [bank.TLBIVA, bank.TLBIVA_HI];
    orderStores();
    for (let address = iova; address < iova + size; address += granule) {
      if (is64) write64(low, high, address / PAGE, asid * 2 ** 16);
      else low.write(address - (address % PAGE) + asid);
    }
  };
  const stage2Range = (ipa: number, size: number, granule: number, isLeaf: boolean): void => {
    const [low, high] = isLeaf
      ? [bank.TLBIIPAS2L, bank.TLBIIPAS2L_HI]
      : [bank.TLBIIPAS2, bank.TLBIIPAS2_HI];
    orderStores();
    for (let address = ipa; address < ipa + size; address += granule) {
      if (is64) write64(low, high, address / PAGE);
      else low.write(address / PAGE);
    }
  };

  if (stage === 2 && isFirst) {
    return {
      flush: {
        flushAll,
        flushWalk: flushAll,
        addPage: () => {
          orderStores();
          regs.gr0.TLBIVMID.write({ VMID: vmid });
        },
      },
      sync: () => {
        regs.syncGlobal();
      },
    };
  }
  const range = stage === 1 ? stage1Range : stage2Range;
  return {
    flush: {
      flushAll,
      flushWalk: (iova, size, granule) => {
        range(iova, size, granule, false);
        regs.syncBank(index);
      },
      addPage: (_gather, iova, granule) => {
        range(iova, granule, granule, true);
      },
    },
    sync: () => {
      regs.syncBank(index);
    },
  };
};
