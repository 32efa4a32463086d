import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { cpuAddr, hexCpu, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { FaultKind, faultName } from '../../drivers/base/types/isa';
import { GFP_HIGHUSER } from '../../drivers/base/kernel/gfp';
import { pageToPhys } from '../../mm/page-alloc';
import { PAGE_KERNEL, PAGE_KERNEL_RO, PAGE_SHARED, withMemory } from '../../mm/pgprot';
import type { Case, CaseContext, Suite } from './suite';
import { memoryWord, withPage, withoutMmu } from './support';

const USER_ADDRESS = 0x0040_0000;

/** Expects an access to fault in a certain way. */
const faults = (t: CaseContext, kind: FaultKind, what: string, access: () => void): void => {
  const fault = t.machine.kernel.mm.faults.capture(access);
  if (fault === null) {
    t.fail(`expected a ${faultName(kind)} fault at ${what}, but the access went through`);
    return;
  }
  t.equal(fault.kind, kind, `the kind of fault at ${what} (${faultName(fault.kind)})`);
};

const unmapped = (t: CaseContext, address: CpuAddr, what: string): void => {
  const { cpu } = t.machine.kernel;
  faults(t, FaultKind.Translation, what, () => cpu.load32(address));
  faults(t, FaultKind.Translation, what, () => {
    cpu.store32(address, 1);
  });
};

const linear: Case = {
  name: 'linear_map_shows_lowmem_and_nothing_else',
  run: t => {
    const { mm, cpu } = t.machine.kernel;
    withPage(t, (address, page) => {
      cpu.store32(address, 0x1234_5678);
      mm.cache.dmaCleanRange(address, 4);
      mm.outer.cleanRange(pageToPhys(page), 4);
      t.equal(memoryWord(t.machine, page, 0), 0x1234_5678, 'the word in memory');
    });
    const beyond = mm.layout.pageOffset + (mm.layout.lowmemEnd - mm.layout.physOffset);
    unmapped(t, cpuAddr(beyond), `${hexCpu(cpuAddr(beyond))}, just above lowmem`);
  },
};

const noMap: Case = {
  name: 'no_map_regions_are_not_in_the_linear_map',
  unfit: machine =>
    machine.plan.memory.reserved.regions.some(region => region.node.has('no-map'))
      ? null
      : 'no reserved memory with no-map',
  run: t => {
    const { mm } = t.machine.kernel;
    for (const { node, base, size, kind } of t.machine.plan.memory.reserved.regions) {
      const address = mm.layout.physToVirt(physAddr(Number(base)));
      const isRam = mm.layout.ram.some(
        ram => Number(base) >= ram.base && Number(base + size) <= ram.base + ram.size,
      );
      if (!node.has('no-map') || kind === 'refused' || address === null || !isRam) continue;
      unmapped(t, address, node.path);
    }
  },
};

const readOnly: Case = {
  name: 'read_only_mappings_refuse_stores',
  unfit: machine =>
    machine.kernel.mm.info.type === 'v4wb' ? 'no read-only kernel pages on ARMv5' : null,
  run: t => {
    const { mappings, cpu } = t.machine.kernel;
    withPage(t, (address, page) => {
      cpu.store32(address, 42);
      t.machine.kernel.mm.cache.dmaFlushRange(address, PAGE_SIZE);
      const alias = t.need(mappings.vmap([page], PAGE_KERNEL_RO), 'vmalloc space');
      t.equal(cpu.load32(alias), 42, 'the word read through the read-only mapping');
      faults(t, FaultKind.Permission, 'a read-only page', () => {
        cpu.store32(alias, 43);
      });
      mappings.vunmap(alias);
    });
  },
};

const scattered: Case = {
  name: 'vmalloc_is_contiguous_over_scattered_pages',
  run: t => {
    const { mappings, cpu, mm } = t.machine.kernel;
    const size = 5 * PAGE_SIZE;
    const address = t.need(mappings.vmalloc(size), 'vmalloc memory');
    for (let at = 0; at < size; at += 1020) cpu.store32(address + at - (at % 4), at);
    for (let at = 0; at < size; at += 1020) {
      t.equal(cpu.load32(address + at - (at % 4)), at, `the word at +${at}`);
    }
    unmapped(t, cpuAddr(address + size), 'the guard page');
    const free = mm.pages.freePages;
    mappings.vfree(address);
    t.ok(mm.pages.freePages >= free + 5, 'vfree to give the pages back');
    unmapped(t, address, 'memory after vfree');
  },
};

const uncached: Case = {
  name: 'stores_through_a_non_cacheable_mapping_reach_memory',
  run: t => {
    const { mappings, cpu, mm } = t.machine.kernel;
    withPage(t, (address, page) => {
      mm.cache.dmaFlushRange(address, PAGE_SIZE);
      mm.outer.flushRange(pageToPhys(page), PAGE_SIZE);
      const prot = withMemory(PAGE_KERNEL, 'dmacoherent');
      const alias = t.need(mappings.vmap([page], prot), 'vmalloc space');
      for (let at = 0; at < 256; at += 4) cpu.store32(alias + at, at + 1);
      mm.barriers.wmb();
      // Where devices snoop, a barrier does not sync the outer cache: a clean does.
      mm.outer.cleanRange(pageToPhys(page), 256);
      for (let at = 0; at < 256; at += 4) {
        t.equal(memoryWord(t.machine, page, at), at + 1, `the word at +${at} in memory`);
      }
      mappings.vunmap(alias);
    });
  },
};

const registers: Case = {
  name: 'ioremap_reaches_registers_until_iounmap',
  unfit: machine => (machine.masters.length === 0 ? 'no test master' : null),
  run: t => {
    const { mappings, io } = t.machine.kernel;
    const [master] = t.machine.hardware.masters;
    const { base } = t.need(master, 'a test master');
    const address = t.need(mappings.ioremap(physAddr(base), 0x1000), 'vmalloc space');
    t.equal(io.readl(address), 0x544d_0001, 'the ID register of a test master');
    mappings.iounmap(address);
    unmapped(t, address, 'registers after iounmap');
  },
};

const withPages = (t: CaseContext, count: number, body: (pages: readonly Page[]) => void): void => {
  const { pages } = t.machine.kernel.mm;
  const taken: Page[] = [];
  try {
    for (let i = 0; i < count; i++) taken.push(t.need(pages.allocPages(GFP_HIGHUSER, 0), 'a page'));
    body(taken);
  } finally {
    for (const page of taken) pages.freePagesAt(page, 0);
  }
};

const spaces: Case = {
  name: 'address_spaces_do_not_see_each_other',
  run: t => {
    const { users, cpu } = t.machine.kernel;
    withPages(t, 2, pages => {
      const made = pages.map(page => {
        const space = users.create();
        t.ok(users.mapPage(space, USER_ADDRESS, page), 'a user page to be mapped');
        return space;
      });
      made.forEach((space, i) => {
        users.switchTo(space);
        cpu.storeUser32(USER_ADDRESS, 100 + i);
      });
      for (let round = 0; round < 8; round++) {
        made.forEach((space, i) => {
          users.switchTo(space);
          t.equal(cpu.loadUser32(USER_ADDRESS), 100 + i, `the word of space ${i}`);
        });
      }
      for (const space of made) {
        users.switchTo(space);
        users.unmapPage(space, USER_ADDRESS);
      }
      users.switchToKernel();
      for (const space of made) users.destroy(space);
    });
  },
};

const rights: Case = {
  name: 'user_mode_cannot_reach_kernel_pages',
  run: t => {
    const { users, cpu } = t.machine.kernel;
    withPages(t, 1, ([page]) => {
      const space = users.create();
      users.mapPage(space, USER_ADDRESS, t.need(page, 'a page'));
      users.switchTo(space);
      withPage(t, address => {
        faults(t, FaultKind.Permission, 'the linear map from user mode', () => {
          cpu.loadUser32(address);
        });
        faults(t, FaultKind.Permission, 'the linear map from user mode', () => {
          cpu.storeUser32(address, 0);
        });
      });
      faults(t, FaultKind.Translation, 'an unmapped user page', () => {
        cpu.loadUser32(USER_ADDRESS + PAGE_SIZE);
      });
      users.unmapPage(space, USER_ADDRESS);
      users.switchToKernel();
      users.destroy(space);
    });
  },
};

const replaced: Case = {
  name: 'a_replaced_page_is_seen_after_break_before_make',
  run: t => {
    const { users, cpu } = t.machine.kernel;
    withPages(t, 8, pages => {
      const space = users.create();
      users.switchTo(space);
      pages.forEach((page, i) => {
        if (i === 0) users.mapPage(space, USER_ADDRESS, page);
        else users.replacePage(space, USER_ADDRESS, page);
        cpu.storeUser32(USER_ADDRESS, i);
      });
      pages.forEach((page, i) => {
        users.replacePage(space, USER_ADDRESS, page);
        t.equal(cpu.loadUser32(USER_ADDRESS), i, `the word of page ${i}`);
      });
      users.unmapPage(space, USER_ADDRESS);
      faults(t, FaultKind.Translation, 'an unmapped user page', () => {
        cpu.loadUser32(USER_ADDRESS);
      });
      users.switchToKernel();
      users.destroy(space);
    });
  },
};

const lateKernelMapping: Case = {
  name: 'kernel_mappings_made_later_are_seen_in_every_space',
  run: t => {
    const { users, mappings, cpu } = t.machine.kernel;
    const space = users.create();
    users.switchTo(space);
    const areas = Array.from({ length: 3 }, () =>
      t.need(mappings.vmalloc(4 * 1024 * 1024), 'vmalloc memory'),
    );
    for (const area of areas) {
      cpu.store32(area, 0x77);
      t.equal(cpu.load32(area), 0x77, 'a word of memory mapped after the space was made');
    }
    users.switchToKernel();
    users.destroy(space);
    for (const area of areas) mappings.vfree(area);
  },
};

const asids: Case = {
  name: 'asids_wrap_around_without_mixing_spaces',
  run: t => {
    const { users, cpu } = t.machine.kernel;
    withPages(t, 8, pages => {
      const made = pages.map(page => {
        const space = users.create();
        users.mapPage(space, USER_ADDRESS, page, PAGE_SHARED);
        return space;
      });
      made.forEach((space, i) => {
        users.switchTo(space);
        cpu.storeUser32(USER_ADDRESS, i);
      });
      // Spaces that come and go use up the ASIDs of a generation, and some of the next: then the
      // first space gets the ASID that was the second one's, and so on.
      const passing = users.create();
      const [first] = made;
      const { asid, generation } = t.need(first, 'a space');
      for (let last = passing; last.generation <= generation || last.asid !== asid;) {
        last = { ...passing, generation: 0 };
        users.switchTo(last);
      }
      made.forEach((space, i) => {
        users.switchTo(space);
        t.equal(cpu.loadUser32(USER_ADDRESS), i, `the word of space ${i} after the wrap`);
        users.unmapPage(space, USER_ADDRESS);
      });
      users.switchToKernel();
      for (const space of [...made, passing]) users.destroy(space);
    });
  },
};

export const mmuSuite: Suite = {
  name: 'mmu',
  summary: 'kernel and user page tables, translation faults, TLB maintenance',
  unfit: withoutMmu,
  cases: [
    linear,
    noMap,
    readOnly,
    scattered,
    uncached,
    registers,
    spaces,
    rights,
    replaced,
    lateKernelMapping,
    asids,
  ],
};
