import { l2x0Init, noOuterCache } from '../../arch/arm/mm/cache-l2x0';
import { PL310 } from '../../arch/arm/cache/pl310/regs';
import { Device } from '../../drivers/base/kernel/device';
import { KernelIo } from '../../drivers/base/kernel/io';
import type { IoBarriers } from '../../drivers/base/kernel/io';
import type { RegisterIo } from '../../drivers/base/kernel/registers';
import { physAddr } from '../../drivers/base/types/address';
import { testMasterDriver } from '../../drivers/misc/test-master/driver';
import type { BoundMaster, Machine } from '../../machines/machine';
import { PL310_COMPATIBLE } from '../../machines/models';
import { CaseContext } from '../suites/suite';
import type { Suite } from '../suites/suite';

/*
 * Kernels with one thing forgotten: a part of a booted machine is replaced by one that does less.
 * The product knows nothing of it.
 */

/** Takes a machine that has just booted, and answers the one to run on. */
export type Spoil = (machine: Machine) => Machine;

/** The suite with every machine spoilt before its first case. */
export const onSpoilt = (suite: Suite, spoil: Spoil): Suite => {
  const known = new WeakMap<Machine, Machine>();
  return {
    ...suite,
    cases: suite.cases.map(one => ({
      ...one,
      run: t => {
        const machine = known.get(t.machine) ?? spoil(t.machine);
        known.set(t.machine, machine);
        const context = new CaseContext(machine, t.random);
        try {
          one.run(context);
        } finally {
          for (const text of context.failures) t.fail(text);
        }
      },
    })),
  };
};

const nothing = (): void => undefined;

/** A mutant that replaces parts in place. */
export const replacing =
  (replace: (machine: Machine) => void): Spoil =>
  machine => {
    replace(machine);
    return machine;
  };

/** The drivers of all masters anew, with accessors that have these barriers only. */
export const withIoBarriers =
  (barriers: (io: IoBarriers) => IoBarriers): Spoil =>
  machine => {
    const { kernel } = machine;
    const io = new KernelIo(kernel.cpu, barriers(kernel.mm.ioBarriers));
    const services = { ...kernel.services, io };
    const rebind = ({ plan, device: { dev } }: BoundMaster): BoundMaster => {
      const { name, ofPath, dma, registers, irqs } = dev;
      const again = new Device({ name, ofPath, dma, registers, irqs, services });
      const device = testMasterDriver.probe(again);
      if (typeof device === 'number') throw new Error(`probe: ${device}`);
      return { plan, device };
    };
    return { ...machine, masters: machine.masters.map(rebind) };
  };

/** writel() without the barrier before the store. */
export const noBarrierBeforeWrites = withIoBarriers(io => ({
  afterRead: () => {
    io.afterRead();
  },
  beforeWrite: nothing,
}));

/** readl_relaxed() and writel_relaxed() everywhere. */
export const noIoBarriers = withIoBarriers(() => ({ afterRead: nothing, beforeWrite: nothing }));

/** wmb() without outer_sync(). */
export const noOuterSync = replacing(({ kernel: { mm } }) => {
  mm.outer = { ...mm.outer, sync: nothing };
});

/** The PL310 stays as the boot loader left it: off. */
export const outerStaysOff = replacing(({ kernel: { mm } }) => {
  mm.outer.disable();
  mm.outer = noOuterCache();
});

/** Maintenance of the PL310 that never writes one of its registers. */
export const outerWithout = (register: 'CACHE_SYNC' | 'CLEAN_INV_WAY'): Spoil =>
  replacing(machine => {
    const { kernel, plan } = machine;
    const device = plan.devices.find(({ device: { compatible } }) =>
      compatible.some(name => PL310_COMPATIBLE.includes(name)),
    );
    const [window] = device?.device.resources ?? [];
    const base =
      window === undefined
        ? null
        : kernel.mappings.ioremap(physAddr(Number(window.start)), Number(window.size));
    if (base === null) throw new Error('no registers of a PL310');
    const silent = base + PL310.registers[register].at;
    const dropping = (io: RegisterIo): RegisterIo => ({
      readb: address => io.readb(address),
      readw: address => io.readw(address),
      readl: address => io.readl(address),
      writeb: (value, address) => {
        io.writeb(value, address);
      },
      writew: (value, address) => {
        io.writew(value, address);
      },
      writel: (value, address) => {
        if (address !== silent) io.writel(value, address);
      },
    });
    const options = { sharedOverride: false, ioCoherent: false };
    kernel.mm.outer = l2x0Init(dropping(kernel.io), dropping(kernel.io.relaxed), base, options);
  });

/** A TLB routine that does nothing. */
export const noTlb = (
  routine: 'flushKernelRange' | 'flushUserPage' | 'flushAll' | 'flushLocal' | 'flushAsid',
): Spoil =>
  replacing(({ kernel: { mm } }) => {
    Object.assign(mm.tlb, { [routine]: nothing });
  });

/** A routine of the inner caches that does nothing. */
export const noCache = (
  routine: 'cleanTableEntry' | 'flushKernAll' | 'dmaFlushRange' | 'dmaCleanRange' | 'dmaInvRange',
): Spoil =>
  replacing(({ kernel: { mm } }) => {
    Object.assign(mm.cache, { [routine]: nothing });
  });

/** A valid entry is overwritten with another: neither break before make nor a TLB flush. */
export const replacedWithoutBreak = replacing(({ kernel: { users } }) => {
  const replacePage: typeof users.replacePage = (space, va, page, prot) =>
    users.mapPage(space, va, page, prot);
  Object.assign(users, { replacePage });
});

/** No `dsb` anywhere: neither stores nor maintenance are ever completed. */
export const noDsb = replacing(({ kernel: { cpu } }) => {
  Object.assign(cpu, { dsb: nothing });
});
