import type { CurrentCpu } from '../../../drivers/base/kernel/current-cpu';
import { TlbOp } from '../../../drivers/base/types/isa';
import { contextSync } from './barrier';
import type { CpuInfo } from './cpu-info';

const PAGE = 4096;
/** A longer range is flushed whole: a loop would cost more (MAX_TLBI_OPS and its like). */
const MAX_PAGES = 512;

/**
 * TLB maintenance as the kernel does it (asm/tlbflush.h): each call is complete on return, except
 * those that say otherwise.
 */
export interface TlbFns {
  /** All of this CPU's entries, before translation goes on (local_flush_tlb_all). */
  flushLocal(): void;
  flushAll(): void;
  /** Kernel addresses: every ASID. */
  flushKernelRange(start: number, size: number): void;
  /**
   * Issues the operations for kernel addresses, one for each `span` bytes: what was stored must be
   * visible already, and `complete` is still to come. On a core that broadcasts nothing, each CPU
   * does its own, and completes them.
   */
  issueKernelRange(start: number, size: number, span: number): void;
  /** What was issued is done, and what follows is translated anew. */
  complete(): void;
  /** Pages of one address space. */
  flushUserPage(address: number, asid: number): void;
  flushAsid(asid: number): void;
}

/** The operations of one kind of TLB. */
interface TlbOps {
  readonly all: TlbOp;
  readonly address: TlbOp;
  /** An address of the kernel's: its entries are global, so that any ASID finds them. */
  readonly kernelAddress: TlbOp;
  /** Null where entries have no ASID: all must go. */
  readonly asid: TlbOp | null;
}

const opsOf = ({ type, broadcasts }: CpuInfo): TlbOps => {
  if (type === 'v4wb') {
    return { all: TlbOp.All, address: TlbOp.Address, kernelAddress: TlbOp.Address, asid: null };
  }
  const all = broadcasts ? TlbOp.AllIS : TlbOp.All;
  const address = broadcasts ? TlbOp.AddressIS : TlbOp.Address;
  const asid = broadcasts ? TlbOp.AsidIS : TlbOp.Asid;
  const kernelAddress = type === 'v8' ? TlbOp.AddressAllAsidIS : address;
  return { all, address, kernelAddress, asid };
};

/** Without an MMU there is no TLB. */
const NO_TLB: TlbFns = {
  flushLocal: () => undefined,
  flushAll: () => undefined,
  flushKernelRange: () => undefined,
  issueKernelRange: () => undefined,
  complete: () => undefined,
  flushUserPage: () => undefined,
  flushAsid: () => undefined,
};

/**
 * The table write is made visible (dsb), the entries go, their going is completed (dsb), and
 * what follows sees it (isb). On cores that broadcast, the inner-shareable forms.
 */
export const makeTlbFns = (isa: CurrentCpu, info: CpuInfo): TlbFns => {
  if (info.image === 'nommu') return NO_TLB;
  const ops = opsOf(info);
  const complete = (op: () => void): void => {
    isa.dsb();
    op();
    isa.dsb();
    contextSync(isa, info);
  };
  return {
    flushLocal: () => {
      complete(() => {
        isa.tlbOp(TlbOp.All, 0, 0);
      });
    },
    flushAll: () => {
      complete(() => {
        isa.tlbOp(ops.all, 0, 0);
      });
    },
    flushKernelRange: (start, size) => {
      complete(() => {
        if (size / PAGE > MAX_PAGES) {
          isa.tlbOp(ops.all, 0, 0);
          return;
        }
        for (let page = start - (start % PAGE); page < start + size; page += PAGE) {
          isa.tlbOp(ops.kernelAddress, page, 0);
        }
      });
    },
    issueKernelRange: (start, size, span) => {
      const issue = (): void => {
        for (let at = start; at < start + size; at += span) isa.tlbOp(ops.kernelAddress, at, 0);
      };
      issue();
      if (info.broadcasts) return;
      isa.onOthers(() => {
        issue();
        isa.dsb();
        contextSync(isa, info);
      });
    },
    complete: () => {
      isa.dsb();
      contextSync(isa, info);
    },
    flushUserPage: (page, asid) => {
      complete(() => {
        isa.tlbOp(ops.address, page, asid);
      });
    },
    flushAsid: asid => {
      complete(() => {
        if (ops.asid === null) isa.tlbOp(ops.all, 0, 0);
        else isa.tlbOp(ops.asid, asid, 0);
      });
    },
  };
};
