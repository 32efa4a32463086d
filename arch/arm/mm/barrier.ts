import type { Barriers } from '../../../drivers/base/kernel/barriers';
import type { IoBarriers } from '../../../drivers/base/kernel/io';
import type { Isa } from '../../../drivers/base/types/isa';
import type { CpuInfo, ProcType } from './cpu-info';

/** Drains the outer cache's buffer (outer_sync); replaced when an outer cache comes up. */
export interface OuterSync {
  sync: () => void;
}

const compilerOnly = (): void => undefined;

/**
 * asm/barrier.h. ARMv5 has no barriers for memory: coherent buffers are strongly ordered there,
 * and only mb() drains the write buffer. From ARMv6 on mb() and wmb() are `dsb` and a sync of the
 * outer cache, whose buffer no `dsb` drains. On arm64 there is no outer cache, and readl and
 * writel need no more than `dmb`.
 */
export const makeBarriers = (
  isa: Isa,
  type: ProcType,
  outer: OuterSync,
): { readonly barriers: Barriers; readonly io: IoBarriers } => {
  switch (type) {
    case 'v4wb':
      return v5Barriers(isa);
    case 'v8':
      return v8Barriers(isa);
    default:
      return v7Barriers(isa, outer);
  }
};

/** isb(): what follows is fetched with what came before in effect. Nothing to do before ARMv6. */
export const contextSync = (isa: Isa, { type }: CpuInfo): void => {
  if (type !== 'v4wb') isa.isb();
};

const v5Barriers = (isa: Isa): { barriers: Barriers; io: IoBarriers } => ({
  barriers: {
    mb: () => {
      isa.dsb();
    },
    rmb: compilerOnly,
    wmb: () => {
      isa.dsb();
    },
    dmaRmb: compilerOnly,
    dmaWmb: compilerOnly,
  },
  io: { afterRead: compilerOnly, beforeWrite: compilerOnly },
});

const v7Barriers = (isa: Isa, outer: OuterSync): { barriers: Barriers; io: IoBarriers } => {
  const heavy = (): void => {
    isa.dsb();
    outer.sync();
  };
  const rmb = (): void => {
    isa.dsb();
  };
  return {
    barriers: {
      mb: heavy,
      rmb,
      wmb: heavy,
      dmaRmb: () => {
        isa.dmb('sy');
      },
      dmaWmb: () => {
        isa.dmb('st');
      },
    },
    io: { afterRead: rmb, beforeWrite: heavy },
  };
};

const v8Barriers = (isa: Isa): { barriers: Barriers; io: IoBarriers } => {
  const dsb = (): void => {
    isa.dsb();
  };
  const dmaRmb = (): void => {
    isa.dmb('ld');
  };
  const dmaWmb = (): void => {
    isa.dmb('st');
  };
  return {
    barriers: { mb: dsb, rmb: dsb, wmb: dsb, dmaRmb, dmaWmb },
    io: { afterRead: dmaRmb, beforeWrite: dmaWmb },
  };
};
