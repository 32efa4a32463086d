import type { RuleId } from '../../drivers/base/types/rules';
import { RULES } from '../../drivers/base/types/rules';
import { dmaAddr } from '../../drivers/base/types/address';
import type { DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE, alignDown } from '../../drivers/base/types/bits';
import { SmmuV3Device } from '../../drivers/iommu/arm-smmu-v3/driver';
import { Opcode } from '../../drivers/iommu/arm-smmu-v3/regs/commands';
import { iommuUnmap } from '../../mm/iommu/map';
import { newGather } from '../../mm/iommu/gather';
import { pageSizesIn } from '../../mm/iommu/page-sizes';
import { TableDomain } from '../../mm/io-pgtable/table-domain';
import { pageToPhys } from '../../mm/page-alloc';
import { freesCarefully } from './driver-bench';
import {
  READ_WRITE,
  at,
  endsFaults,
  iommuMasters,
  mapBuffer,
  withOwnDomain,
  withoutIommu,
} from './iommu-support';
import type { IommuMaster, OwnDomain } from './iommu-support';
import { LateTableMemory } from './iommu-late-memory';
import type { Case, CaseContext, Suite } from './suite';

const SIZE = 64;

/** A mistake with an IOMMU, as it is made by hand with the IOMMU API, and what is right. */
interface IommuBug {
  readonly name: string;
  /** One of these is found. */
  readonly rules: readonly RuleId[];
  readonly serves: (one: IommuMaster) => boolean;
  /** With the mistake, or without. */
  readonly run: (t: CaseContext, own: OwnDomain, isWrong: boolean) => void;
}

/** One transaction, whatever becomes of it. */
const touch = ({ master, iova }: OwnDomain, offset = 0): void => {
  master.device.writePattern(at(iova, offset), SIZE, 1);
};

const isOneOf = ({ nodes }: IommuMaster, names: RegExp): boolean =>
  nodes.some(({ compatible }) => compatible.some(name => names.test(name)));

/** Its TLB may take again what was just flushed: all but that of dmabench's own, and of OMAP's. */
const fetchesAhead = (one: IommuMaster): boolean => !isOneOf(one, /^dmabench,|^ti,/);

/** Its table is changed, and nobody is told: the core would call `sync` next. */
const unmapUnsynced = ({ ops, iova }: OwnDomain): void => {
  ops.unmap(iova, PAGE_SIZE, 1, newGather());
};

/** Two pages, so that the table is not empty, and flushed for that, when the first one goes. */
const ORDER = 1;

const noFlush: IommuBug = {
  name: 'the_tlb_is_not_flushed_after_an_unmap',
  rules: ['stale-translation'],
  serves: endsFaults,
  run: (t, own, isWrong) => {
    own.withBuffer(ORDER, buffer => {
      mapBuffer(t, own, own.iova, buffer);
      touch(own);
      if (isWrong) unmapUnsynced(own);
      else iommuUnmap(own.ops, own.iova, PAGE_SIZE);
      touch(own);
      own.ops.flushAll();
      iommuUnmap(own.ops, at(own.iova, PAGE_SIZE), PAGE_SIZE);
    });
  },
};

const earlyFlush: IommuBug = {
  name: 'the_tlb_is_flushed_before_the_table_is_written',
  rules: ['stale-translation'],
  serves: one => endsFaults(one) && fetchesAhead(one),
  run: (t, own, isWrong) => {
    own.withBuffer(ORDER, buffer => {
      mapBuffer(t, own, own.iova, buffer);
      touch(own);
      if (isWrong) own.ops.flushAll();
      unmapUnsynced(own);
      if (!isWrong) own.ops.flushAll();
      touch(own);
      own.ops.flushAll();
      iommuUnmap(own.ops, at(own.iova, PAGE_SIZE), PAGE_SIZE);
    });
  },
};

const earlyFree: IommuBug = {
  name: 'a_page_is_freed_before_the_flush',
  rules: ['stale-translation'],
  serves: endsFaults,
  run: (t, own, isWrong) => {
    own.withBuffer(ORDER, buffer => {
      mapBuffer(t, own, own.iova, buffer);
      touch(own);
      buffer.release();
      unmapUnsynced(own);
      if (!isWrong) own.ops.flushAll();
    });
    touch(own);
    own.ops.flushAll();
    iommuUnmap(own.ops, at(own.iova, PAGE_SIZE), PAGE_SIZE);
  },
};

/** The walker reads memory, and not what the CPU has in its caches. */
const isWalkerBlind = ({ nodes }: IommuMaster): boolean =>
  nodes.every(node => !node.has('dma-coherent'));

/** A domain of which nobody knows but the hardware, in memory of the case's own. */
const withDomainIn = (
  t: CaseContext,
  { group }: OwnDomain,
  memory: LateTableMemory,
  body: (ops: OwnDomain['ops']) => void,
): void => {
  const first = t.need(group.streams[0], 'a stream');
  const domain = t.need(first.iommu.domainAlloc('unmanaged', memory), 'a domain');
  const ops = t.need(domain.ops, 'a table');
  for (const { iommu, stream } of group.streams) iommu.attach(stream, domain);
  body(ops);
  for (const { iommu, stream } of group.streams) iommu.attach(stream, group.domain.domain);
  first.iommu.domainFree(domain);
};

const noClean: IommuBug = {
  name: 'a_word_of_a_table_is_not_cleaned',
  rules: ['stale-table-word', 'stale-device-read', 'missing-write-barrier'],
  serves: one => endsFaults(one) && isWalkerBlind(one),
  run: (t, own, isWrong) => {
    const memory = new LateTableMemory(t.machine.kernel);
    own.withBuffer(0, buffer => {
      withDomainIn(t, own, memory, ops => {
        memory.isLate = isWrong;
        mapBuffer(t, { ops }, own.iova, buffer);
        memory.carryOut();
        touch(own);
        iommuUnmap(ops, own.iova, PAGE_SIZE);
      });
    });
  },
};

const reusedTable: IommuBug = {
  name: 'a_table_is_freed_while_the_hardware_has_it',
  rules: ['table-freed-in-use'],
  serves: one => endsFaults(one) && !freesCarefully(one.nodes),
  run: (t, own, isWrong) => {
    const { group, iova } = own;
    const memory = new LateTableMemory(t.machine.kernel);
    own.withBuffer(0, buffer => {
      const [first] = group.streams;
      const iommu = t.need(first, 'a stream').iommu;
      const domain = t.need(iommu.domainAlloc('unmanaged', memory), 'a domain');
      const ops = t.need(domain.ops, 'a table');
      for (const { iommu: each, stream } of group.streams) each.attach(stream, domain);
      mapBuffer(t, { ops }, iova, buffer);
      touch(own);
      iommuUnmap(ops, iova, PAGE_SIZE);
      if (isWrong) {
        iommu.domainFree(domain);
        touch(own);
        ops.flushAll();
      }
      for (const { iommu: each, stream } of group.streams) each.attach(stream, group.domain.domain);
      // While it was attached, what was invalidated may have been fetched again.
      if (isWrong) ops.flushAll();
      else iommu.domainFree(domain);
    });
  },
};

/** Of versions 3.2 on SYSMMUs keep steps of walks; OMAP's and dmabench's own keep none. */
const keepsSteps = ({ nodes }: IommuMaster): boolean =>
  nodes.every(node => {
    const { compatible } = node;
    const [major = 0, minor = 0] = node.cells('dmabench,sysmmu-version') ?? [];
    if (compatible.some(name => name.endsWith('-sysmmu'))) return major * 0x80 + minor >= 0x182;
    return !compatible.some(name => /^(?:ti|dmabench),/.test(name));
  });

/** Less than what a table of the last level translates is not unmapped with its table. */
const LEAST_TABLE_SPAN = 0x10_0000;

/**
 * Unmaps all that a table translates, and with it the table: the size, 0 where none goes. The largest
 * that is taken has a table in any format.
 */
const unmapWithTable = ({ ops }: Pick<OwnDomain, 'ops'>, iova: DmaAddr): number =>
  pageSizesIn(ops.pageSizes)
    .filter(size => size >= LEAST_TABLE_SPAN)
    .toReversed()
    .find(size => ops.unmap(dmaAddr(alignDown(iova, size)), size, 1, newGather()) > 0) ?? 0;

const earlyTableFree: IommuBug = {
  name: 'a_table_is_freed_before_the_flush',
  rules: ['table-freed-in-use'],
  serves: one => endsFaults(one) && keepsSteps(one),
  run: (t, own, isWrong) => {
    const memory = new LateTableMemory(t.machine.kernel);
    own.withBuffer(0, buffer => {
      withDomainIn(t, own, memory, ops => {
        mapBuffer(t, { ops }, own.iova, buffer);
        touch(own);
        memory.isForgetful = isWrong;
        t.ok(unmapWithTable({ ops }, own.iova) > 0, 'a table to go');
        memory.isForgetful = false;
        ops.flushAll();
      });
    });
  },
};

const smmuV3Of = ({ group }: OwnDomain): SmmuV3Device | null =>
  group.streams.flatMap(({ iommu }) => (iommu instanceof SmmuV3Device ? [iommu] : []))[0] ?? null;

/** What was commanded takes effect by a sync only; until then, everything may be as it was. */
const noSync: IommuBug = {
  name: 'the_sync_behind_the_commands_is_missing',
  rules: ['stale-translation'],
  serves: one => isOneOf(one, /^arm,smmu-v3$/),
  run: (t, own, isWrong) => {
    const { commands } = t.need(smmuV3Of(own), 'a queue of commands');
    own.withBuffer(ORDER, buffer => {
      mapBuffer(t, own, own.iova, buffer);
      touch(own);
      commands.forgets = isWrong ? (opcode): boolean => opcode === Opcode.Sync : null;
      iommuUnmap(own.ops, own.iova, PAGE_SIZE);
      commands.forgets = null;
      touch(own);
      own.ops.flushAll();
      iommuUnmap(own.ops, at(own.iova, PAGE_SIZE), PAGE_SIZE);
    });
  },
};

/**
 * The first dma-mapping for IOMMUs on ARM, of 2011: unmap_page gave the buffer to the CPU first and
 * unmapped it then, unmap_sg did it the other way round.
 */
const wrongOrder: IommuBug = {
  name: 'a_buffer_is_the_cpu_s_before_it_is_unmapped',
  rules: ['device-access-after-unmap', 'device-access-unmapped'],
  serves: endsFaults,
  run: (t, own, isWrong) => {
    own.withBuffer(0, buffer => {
      mapBuffer(t, own, own.iova, buffer);
      touch(own);
      if (isWrong) buffer.release();
      else iommuUnmap(own.ops, own.iova, PAGE_SIZE);
      touch(own);
      if (isWrong) iommuUnmap(own.ops, own.iova, PAGE_SIZE);
      else buffer.release();
    });
  },
};

const isRockchip = (one: IommuMaster): boolean => isOneOf(one, /^rockchip,.*iommu$/);

/** d4dd920cc2f6, iommu/rockchip: of a new mapping, entries beside it were in the MMU as they were. */
const noZap: IommuBug = {
  name: 'what_is_mapped_beside_a_mapping_is_not_zapped',
  rules: ['stale-translation'],
  serves: isRockchip,
  run: (t, own, isWrong) => {
    const { domain, ops, iova } = own;
    const beside = at(iova, 2 * PAGE_SIZE);
    own.withBuffer(0, first => {
      mapBuffer(t, own, iova, first);
      touch(own);
      own.withBuffer(0, second => {
        // The table's own function knows nothing of the MMU.
        const table = domain instanceof TableDomain ? domain.table : null;
        const write = isWrong ? t.need(table, 'a table') : ops;
        const physical = pageToPhys(second.page);
        write.map(beside, physical, PAGE_SIZE, 1, READ_WRITE, { bytes: 0 });
        touch(own, 2 * PAGE_SIZE);
        iommuUnmap(ops, beside, PAGE_SIZE);
      });
      iommuUnmap(ops, iova, PAGE_SIZE);
    });
  },
};

const isError = (rule: RuleId): boolean => RULES[rule].severity !== 'note';

const foundBy = (t: CaseContext, one: IommuMaster, bug: IommuBug, isWrong: boolean): RuleId[] => {
  t.takeFindings();
  withOwnDomain(t, one, own => {
    bug.run(t, own, isWrong);
  });
  return t.takeFindings().filter(isError);
};

const caseOf = (bug: IommuBug): Case => ({
  name: bug.name,
  unfit: withoutIommu,
  run: t => {
    const masters = iommuMasters(t.machine).filter(bug.serves);
    if (masters.length === 0) t.skip('no IOMMU of this board serves');
    for (const one of masters) {
      const who = one.nodes.map(({ name }) => name).join(' and ');
      const found = foundBy(t, one, bug, true);
      const rules = [...new Set(found)].join(', ');
      t.ok(
        found.some(rule => bug.rules.includes(rule)),
        `${who}: ${bug.rules.join(' or ')} to be found, not ${rules || 'nothing'}`,
      );
      const right = foundBy(t, one, bug, false);
      t.ok(
        right.length === 0,
        `${who}: nothing to be found of what is right, not ${right.join(', ')}`,
      );
    }
  },
});

export const IOMMU_BUGS: readonly IommuBug[] = [
  noFlush,
  earlyFlush,
  earlyFree,
  noClean,
  reusedTable,
  earlyTableFree,
  noSync,
  wrongOrder,
  noZap,
];

export const iommuBugsSuite: Suite = {
  name: 'iommu-bugs',
  summary: 'mistakes with IOMMUs and their tables, each with what is right',
  unfit: machine => (machine.findings === null ? 'only a run under `all` has findings' : null),
  cases: IOMMU_BUGS.map(caseOf),
};
