import { bit, defineRegisters, field } from '../../base/types/registers';

/** The strings that a tree names it by: the second is version 2, whose addresses have 40 bits. */
export const COMPATIBLE: readonly string[] = ['rockchip,iommu', 'rockchip,rk3568-iommu'];
export const V2_COMPATIBLE = 'rockchip,rk3568-iommu';

/** Bytes of the registers of one MMU; an IOMMU has as many as its node has `reg` entries. */
export const BANK_SIZE = 0x40;
/** More than any chip has. */
export const MOST_BANKS = 8;

/** Values of COMMAND.CODE. */
export const Command = {
  EnablePaging: 0,
  DisablePaging: 1,
  EnableStall: 2,
  DisableStall: 3,
  ZapCache: 4,
  PageFaultDone: 5,
  ForceReset: 6,
} as const;

/**
 * One MMU of an IOMMU of Rockchip's, as there is one in front of each port of a master. Facts: Rockchip RK3288 TRM, part 1, chapter "MMU"; Linux
 * drivers/iommu/rockchip-iommu.c.
 *
 * While paging is off, addresses pass unchanged. While it is on, they are looked up in a table of two
 * levels (DTE, PTE) at DTE_ADDR; beyond 32 bits nobody answers. DTE_ADDR is only to be written while
 * stalled or with paging off. Stalling can be switched on only while paging is; whoever comes then
 * waits. What was read of the tables may be kept, entries that lead nowhere too, until ZAP_CACHE or
 * ZAP_ONE_LINE of any address that the same table of the second level translates. A transaction that
 * faults ends with a bus error and sets PAGE_FAULT_ACTIVE and INT_RAWSTAT.PAGE_FAULT; all others wait
 * then until the command PAGE_FAULT_DONE. Where nobody answers for a table, it is BUS_ERROR instead.
 */
export const ROCKCHIP_IOMMU = defineRegisters({
  name: 'rockchip-iommu',
  size: BANK_SIZE,
  registers: {
    DTE_ADDR: { at: 0x00, note: 'bits 11:0 stay 0 in version 1' },
    STATUS: {
      at: 0x04,
      access: 'ro',
      reset: 0x18,
      fields: {
        PAGING_ENABLED: bit(0),
        PAGE_FAULT_ACTIVE: bit(1),
        STALL_ACTIVE: bit(2),
        IDLE: bit(3),
        REPLAY_BUFFER_EMPTY: bit(4),
        PAGE_FAULT_IS_WRITE: bit(5),
        PAGE_FAULT_BUS_ID: field(6, 5),
      },
    },
    COMMAND: { at: 0x08, access: 'wo', fields: { CODE: field(0, 3) } },
    PAGE_FAULT_ADDR: { at: 0x0c, access: 'ro' },
    ZAP_ONE_LINE: { at: 0x10, access: 'wo', note: 'any address of the line' },
    INT_RAWSTAT: {
      at: 0x14,
      fields: { PAGE_FAULT: bit(0).w1s(), BUS_ERROR: bit(1).w1s() },
    },
    INT_CLEAR: { at: 0x18, access: 'wo', fields: { PAGE_FAULT: bit(0), BUS_ERROR: bit(1) } },
    INT_MASK: { at: 0x1c, fields: { PAGE_FAULT: bit(0), BUS_ERROR: bit(1) } },
    INT_STATUS: { at: 0x20, access: 'ro', fields: { PAGE_FAULT: bit(0), BUS_ERROR: bit(1) } },
    AUTO_GATING: { at: 0x24, fields: { DISABLE: bit(0), REST: field(1, 31).unimplemented() } },
  },
  notModelled: [
    'time that walks and commands take: a poll sees the outcome at once',
    'the replay buffer: what faults is not tried again after PAGE_FAULT_DONE',
    'which master faulted (STATUS.PAGE_FAULT_BUS_ID): 0',
    'cache attributes in entries of version 1',
    'clocks and power domains: it always runs',
  ],
});
