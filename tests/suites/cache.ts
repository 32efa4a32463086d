import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { CacheOp, cacheOpName } from '../../drivers/base/types/isa';
import type { Machine } from '../../machines/machine';
import { pageToPhys } from '../../mm/page-alloc';
import type { Case, CaseContext, Suite } from './suite';
import { memoryWord, setMemoryWord, withPage, withoutDataCache, withoutSecondCpu } from './support';

/*
 * Every maintenance operation that the core has, by what it must do under all circumstances: what
 * was cleaned is in memory, what was invalidated is read anew, and neighbours are left alone.
 */

const OLD = 0x1111_1111;
const NEW = 0x2222_2222;

const lineOf = (t: CaseContext): number => t.machine.kernel.mm.info.lineSize;

/** A page in memory and in no cache, every word OLD. */
const withCleanPage = (t: CaseContext, body: (address: CpuAddr, page: Page) => void): void => {
  const { mm, cpu } = t.machine.kernel;
  withPage(t, (address, page) => {
    for (let at = 0; at < PAGE_SIZE; at += 4) cpu.store32(address + at, OLD);
    mm.cache.dmaFlushRange(address, PAGE_SIZE);
    mm.outer.flushRange(pageToPhys(page), PAGE_SIZE);
    body(address, page);
  });
};

/** Takes what the inner caches wrote back on to memory. */
const cleanOuter = (t: CaseContext, page: Page, offset: number, size: number): void => {
  t.machine.kernel.mm.outer.cleanRange(offsetBy(pageToPhys(page), offset), size);
};

const invalidateOuter = (t: CaseContext, page: Page, offset: number, size: number): void => {
  t.machine.kernel.mm.outer.invRange(offsetBy(pageToPhys(page), offset), size);
};

/** Stores NEW to a line; after the operation it must be in memory. */
const mustClean = (name: string, op: CacheOp): Case => ({
  name,
  run: t => {
    const { cpu } = t.machine.kernel;
    const line = lineOf(t);
    withCleanPage(t, (address, page) => {
      for (let at = 0; at < 16 * line; at += line) {
        cpu.store32(address + at, NEW);
        cpu.cacheOp(op, address + at);
        cpu.dsb();
        cleanOuter(t, page, at, line);
        t.equal(memoryWord(t.machine, page, at), NEW, `memory after ${cacheOpName(op)}`);
        t.equal(cpu.load32(address + at), NEW, 'what the CPU reads');
        t.equal(cpu.load32(address + at + 4), OLD, 'the next word of the line');
      }
    });
  },
});

/** Memory changes under a clean line; after the operation the CPU must read it. */
const mustInvalidate = (name: string, op: CacheOp): Case => ({
  name,
  run: t => {
    const { cpu } = t.machine.kernel;
    const line = lineOf(t);
    withCleanPage(t, (address, page) => {
      for (let at = 0; at < 16 * line; at += line) {
        t.equal(cpu.load32(address + at), OLD, 'what the CPU reads first');
        setMemoryWord(t.machine, page, at, NEW);
        invalidateOuter(t, page, at, line);
        cpu.cacheOp(op, address + at);
        cpu.dsb();
        t.equal(cpu.load32(address + at), NEW, `what the CPU reads after ${cacheOpName(op)}`);
      }
    });
  },
});

const cleanAndInvalidate: Case = {
  name: 'clean_and_invalidate_by_address_does_both',
  run: t => {
    const { cpu } = t.machine.kernel;
    withCleanPage(t, (address, page) => {
      cpu.store32(address, NEW);
      cpu.cacheOp(CacheOp.CIVAC, address);
      cpu.dsb();
      cleanOuter(t, page, 0, lineOf(t));
      t.equal(memoryWord(t.machine, page, 0), NEW, 'memory');
      setMemoryWord(t.machine, page, 0, OLD);
      invalidateOuter(t, page, 0, lineOf(t));
      cpu.cacheOp(CacheOp.CIVAC, address);
      cpu.dsb();
      t.equal(cpu.load32(address), OLD, 'what the CPU reads');
    });
  },
};

const neighbours: Case = {
  name: 'maintenance_leaves_other_lines_alone',
  run: t => {
    const { cpu } = t.machine.kernel;
    const line = lineOf(t);
    withCleanPage(t, address => {
      for (let at = 0; at < PAGE_SIZE; at += 4) {
        const isInvalidated = at >= line && at < 2 * line;
        if (!isInvalidated) cpu.store32(address + at, at);
      }
      cpu.cacheOp(CacheOp.IVAC, address + line);
      cpu.dsb();
      for (let at = 0; at < PAGE_SIZE; at += 4) {
        const isInvalidated = at >= line && at < 2 * line;
        if (!isInvalidated) t.equal(cpu.load32(address + at), at, `the word at +${at}`);
      }
    });
  },
};

const isClassic = (machine: Machine): boolean => {
  const { type } = machine.kernel.mm.info;
  return type === 'v4wb' || type === 'v6';
};

const toUnification: Case = {
  name: 'clean_to_unification_leaves_the_next_level_right',
  unfit: machine => (isClassic(machine) ? 'no such operation before ARMv7' : null),
  run: t => {
    const { cpu } = t.machine.kernel;
    withCleanPage(t, (address, page) => {
      cpu.store32(address, NEW);
      cpu.cacheOp(CacheOp.CVAU, address);
      cpu.dsb();
      t.equal(cpu.load32(address), NEW, 'what the CPU reads');
      cpu.cacheOp(CacheOp.CVAC, address);
      cpu.dsb();
      cleanOuter(t, page, 0, lineOf(t));
      t.equal(memoryWord(t.machine, page, 0), NEW, 'memory after a clean to coherency');
    });
  },
};

const wholeCache: Case = {
  name: 'flushing_everything_leaves_memory_right',
  // A line can move to another core's cache while sets and ways are walked.
  unfit: machine =>
    machine.kernel.cpu.online > 1 ? 'several CPUs: set/way is not reliable' : null,
  run: t => {
    const { cpu, mm } = t.machine.kernel;
    withCleanPage(t, (address, page) => {
      for (let at = 0; at < PAGE_SIZE; at += 4) cpu.store32(address + at, at);
      mm.cache.flushKernAll();
      mm.outer.flushAll();
      for (let at = 0; at < PAGE_SIZE; at += 4) {
        t.equal(memoryWord(t.machine, page, at), at, `memory at +${at}`);
      }
    });
  },
};

const zeroLine: Case = {
  name: 'zeroing_a_line_zeroes_all_of_it',
  unfit: machine => (machine.kernel.mm.info.type === 'v8' ? null : 'DC ZVA is ARMv8'),
  run: t => {
    const { cpu } = t.machine.kernel;
    const line = lineOf(t);
    withCleanPage(t, address => {
      cpu.cacheOp(CacheOp.ZVA, address + line + 8);
      for (let at = 0; at < 3 * line; at += 4) {
        const expected = at >= line && at < 2 * line ? 0 : OLD;
        t.equal(cpu.load32(address + at), expected, `the word at +${at}`);
      }
    });
  },
};

/** Routines of the kernel by ranges of whole lines, each by what it must do to every one of them. */
const ranges: Case = {
  name: 'range_routines_reach_every_line_of_the_range',
  run: t => {
    const { cpu, mm } = t.machine.kernel;
    const line = lineOf(t);
    for (const size of [line, 3 * line, PAGE_SIZE]) {
      withCleanPage(t, (address, page) => {
        const each = (body: (at: number) => void): void => {
          for (let at = 0; at < size; at += line) body(at);
        };
        const cleans = (routine: typeof mm.cache.dmaCleanRange, value: number): void => {
          each(at => {
            cpu.store32(address + at, value);
          });
          routine(address, size);
          cleanOuter(t, page, 0, size);
          each(at => {
            t.equal(memoryWord(t.machine, page, at), value, `memory at +${at} of ${size}`);
          });
        };
        const drops = (routine: typeof mm.cache.dmaInvRange, value: number): void => {
          each(at => {
            cpu.load32(address + at);
            setMemoryWord(t.machine, page, at, value);
          });
          invalidateOuter(t, page, 0, size);
          routine(address, size);
          each(at => {
            t.equal(cpu.load32(address + at), value, `what the CPU reads at +${at} of ${size}`);
          });
        };
        cleans(mm.cache.dmaCleanRange, NEW);
        drops(mm.cache.dmaInvRange, OLD);
        cleans(mm.cache.dmaFlushRange, NEW + 1);
        drops(mm.cache.dmaFlushRange, OLD + 1);
      });
    }
  },
};

/** Routines of the kernel by ranges that start and end inside lines. */
const edges: Case = {
  name: 'range_routines_keep_the_bytes_beside_the_range',
  run: t => {
    const { cpu, mm } = t.machine.kernel;
    const line = lineOf(t);
    withCleanPage(t, (address, page) => {
      for (const [start, size] of [
        [4, line],
        [line - 4, 8],
        [8, 3 * line],
        [0, line + 12],
        [line + 4, 4],
      ] as const) {
        const beside = Array.from({ length: 2 * line }, (_, i) => 4 * i).filter(
          at => at < start || at >= start + size,
        );
        for (const at of beside) cpu.store32(address + at, at + size);
        mm.cache.dmaInvRange(address + start, size);
        cleanOuter(t, page, 0, 8 * line);
        for (const at of beside) {
          t.equal(cpu.load32(address + at), at + size, `the word at +${at} beside the range`);
        }
        mm.cache.dmaFlushRange(address, 8 * line);
      }
    });
  },
};

const broadcast: Case = {
  name: 'maintenance_on_one_cpu_reaches_the_lines_of_another',
  unfit: machine =>
    withoutSecondCpu(machine) ??
    (machine.kernel.mm.info.broadcasts ? null : 'maintenance is not broadcast'),
  run: t => {
    const { cpu } = t.machine.kernel;
    withCleanPage(t, (address, page) => {
      cpu.on(1, () => {
        cpu.store32(address, NEW);
        cpu.dsb();
      });
      cpu.cacheOp(CacheOp.CVAC, address);
      cpu.dsb();
      cleanOuter(t, page, 0, lineOf(t));
      t.equal(memoryWord(t.machine, page, 0), NEW, 'memory after CPU 0 cleaned');
      cpu.on(1, () => cpu.load32(address));
      setMemoryWord(t.machine, page, 0, OLD);
      invalidateOuter(t, page, 0, lineOf(t));
      cpu.cacheOp(CacheOp.IVAC, address);
      cpu.dsb();
      t.equal(
        cpu.on(1, () => cpu.load32(address)),
        OLD,
        'what CPU 1 reads after CPU 0 invalidated',
      );
    });
  },
};

const withoutOuter = (machine: Machine): string | null =>
  machine.hardware.complex.outer === null ? 'no outer cache' : null;

const outerHolds: Case = {
  name: 'the_outer_cache_is_on_and_takes_what_the_inner_caches_write_back',
  unfit: withoutOuter,
  run: t => {
    const { cpu, mm } = t.machine.kernel;
    const outer = t.need(t.machine.hardware.complex.outer, 'an outer cache');
    t.ok(outer.enabled, 'the kernel to have switched the outer cache on');
    withCleanPage(t, (address, page) => {
      cpu.store32(address, NEW);
      mm.cache.dmaCleanRange(address, 4);
      t.equal(cpu.load32(address), NEW, 'what the CPU reads');
      mm.outer.flushRange(pageToPhys(page), 4);
      t.equal(memoryWord(t.machine, page, 0), NEW, 'memory after the outer flush');
    });
  },
};

const outerByWay: Case = {
  name: 'outer_maintenance_by_way_reaches_every_line',
  unfit: withoutOuter,
  run: t => {
    const { cpu, mm } = t.machine.kernel;
    withCleanPage(t, (address, page) => {
      for (let at = 0; at < PAGE_SIZE; at += 4) cpu.store32(address + at, at);
      mm.cache.dmaCleanRange(address, PAGE_SIZE);
      mm.outer.flushAll();
      for (let at = 0; at < PAGE_SIZE; at += 4) {
        t.equal(memoryWord(t.machine, page, at), at, `memory at +${at}`);
      }
    });
  },
};

/** Two addresses of one page: on an aliasing cache they hold different lines until flushed. */
const aliases: Case = {
  name: 'aliases_agree_after_a_flush',
  unfit: machine => (machine.kernel.mm.vmalloc === null ? 'no MMU' : null),
  run: t => {
    const { cpu, mm, mappings } = t.machine.kernel;
    withCleanPage(t, (address, page) => {
      const alias = t.need(mappings.vmap([page]), 'vmalloc space');
      for (let round = 0; round < 8; round++) {
        const [writer, reader] = round % 2 === 0 ? [address, alias] : [alias, address];
        cpu.store32(writer + 4 * round, NEW + round);
        mm.cache.dmaFlushRange(writer, PAGE_SIZE);
        mm.cache.dmaInvRange(reader, PAGE_SIZE);
        t.equal(cpu.load32(reader + 4 * round), NEW + round, `the word read in round ${round}`);
        mm.cache.dmaFlushRange(reader, PAGE_SIZE);
      }
      mappings.vunmap(alias);
    });
  },
};

export const cacheSuite: Suite = {
  name: 'cache',
  summary: 'every maintenance operation of the core, and the routines made of them',
  unfit: withoutDataCache,
  cases: [
    mustClean('clean_by_address_reaches_memory', CacheOp.CVAC),
    mustInvalidate('invalidate_by_address_forgets_a_clean_line', CacheOp.IVAC),
    cleanAndInvalidate,
    neighbours,
    toUnification,
    wholeCache,
    zeroLine,
    ranges,
    edges,
    broadcast,
    outerHolds,
    outerByWay,
    aliases,
  ],
};
