import { TlbOp } from '../../../drivers/base/types/isa';
import type { Isa } from '../../../drivers/base/types/isa';
import type { CpuInfo } from './cpu-info';

const PAGE = 4096;
/** A longer range is flushed whole: a loop would cost more (MAX_TLBI_OPS and its like). */
const MAX_PAGES = 512;

/** TLB maintenance as the kernel does it (asm/tlbflush.h): each call is complete on return. */
export interface TlbFns {
  /** All of this CPU's entries, before translation goes on (local_flush_tlb_all). */
  flushLocal(): void;
  flushAll(): void;
  /** Kernel addresses: every ASID. */
  flushKernelRange(start: number, size: number): void;
  /** Pages of one address space. */
  flushUserPage(address: number, asid: number): void;
  flushAsid(asid: number): void;
}

/**
 * The table write is made visible (dsb), the entries go, their going is completed (dsb), and
 * what follows sees it (isb). On cores that broadcast, the inner-shareable forms.
 */
export const makeTlbFns = (isa: Isa, info: CpuInfo): TlbFns => {
  const { broadcasts } = info;
  const complete = (op: () => void): void => {
    isa.dsb();
    op();
    isa.dsb();
    isa.isb();
  };
  const all = broadcasts ? TlbOp.AllIS : TlbOp.All;
  const address = broadcasts ? TlbOp.AddressIS : TlbOp.Address;
  const addressAllAsid = broadcasts ? TlbOp.AddressAllAsidIS : TlbOp.AddressAllAsid;
  const asidOp = broadcasts ? TlbOp.AsidIS : TlbOp.Asid;
  return {
    flushLocal: () => {
      complete(() => {
        isa.tlbOp(TlbOp.All, 0, 0);
      });
    },
    flushAll: () => {
      complete(() => {
        isa.tlbOp(all, 0, 0);
      });
    },
    flushKernelRange: (start, size) => {
      complete(() => {
        if (size / PAGE > MAX_PAGES) {
          isa.tlbOp(all, 0, 0);
          return;
        }
        for (let page = start - (start % PAGE); page < start + size; page += PAGE) {
          isa.tlbOp(addressAllAsid, page, 0);
        }
      });
    },
    flushUserPage: (page, asid) => {
      complete(() => {
        isa.tlbOp(address, page, asid);
      });
    },
    flushAsid: asid => {
      complete(() => {
        isa.tlbOp(asidOp, asid, 0);
      });
    },
  };
};
