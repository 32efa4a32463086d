import { RULES } from '../../../drivers/base/types/rules';
import type { RuleId } from '../../../drivers/base/types/rules';
import type { Machine } from '../../../machines/machine';
import { DriverBench } from '../driver-bench';
import type { Case, CaseContext, Suite } from '../suite';
import { bug as arm64FromDevice } from './arm64-from-device';
import { bug as bnxtXdp } from './bnxt-xdp';
import type { Bug, LeftOut, ShownElsewhere } from './bug';
import { broken, refilled } from './coherent-memory';
import { bug as etnaviv } from './etnaviv';
import { bug as flushCacheAll } from './flush-cache-all';
import { bug as fslLpuart } from './fsl-lpuart';
import { bug as i2cImx } from './i2c-imx';
import { bug as ibMad } from './ib-mad';
import { edges, empty } from './inv-range';
import { cleaned, invalidated } from './outer-order';
import { bug as outerSync } from './outer-sync';
import { bug as pageCountFlush } from './page-count-flush';
import { bug as powerz } from './powerz';
import { done, doorbell, own } from './ring-barriers';
import { bug as ringLines } from './ring-lines';
import { bug as sadaClassA } from './sada-class-a';
import { bug as speculativePrefetch } from './speculative-prefetch';
import { bug as threeAliases } from './three-aliases';
import { bug as udmabuf } from './udmabuf';
import { bug as usbAudio } from './usb-audio';
import { received, sent } from './virtual-aliases';
import { bug as vpdma } from './vpdma';
import { bug as writeBuffer } from './write-buffer';

/** Bugs that were in the kernel, the drivers' first. */
export const BUGS: readonly Bug[] = [
  ibMad,
  arm64FromDevice,
  etnaviv,
  powerz,
  usbAudio,
  i2cImx,
  bnxtXdp,
  udmabuf,
  fslLpuart,
  vpdma,
  sadaClassA,
  doorbell,
  own,
  done,
  ringLines,
  speculativePrefetch,
  outerSync,
  cleaned,
  invalidated,
  pageCountFlush,
  broken,
  refilled,
  threeAliases,
  empty,
  edges,
  flushCacheAll,
  sent,
  received,
  writeBuffer,
];

/** Bugs of the kernel's that are no driver's of a device: they are shown where their subject is. */
export const SHOWN_ELSEWHERE: readonly ShownElsewhere[] = [
  {
    source: 'd4dd920cc2f6',
    title: 'iommu/rockchip: only the first IOVA is zapped, and before the entry is written',
    where: 'iommu-bugs.what_is_mapped_beside_a_mapping_is_not_zapped',
  },
  {
    source: 'arch/arm/mm/dma-mapping.c of 3.5',
    title: 'arm_iommu_unmap_page: the buffer is given to the CPU before it is unmapped',
    where: 'iommu-bugs.a_buffer_is_the_cpu_s_before_it_is_unmapped',
  },
];

/** What is known and cannot be shown yet, by what it takes. */
export const LEFT_OUT: readonly LeftOut[] = [
  {
    source: 'ddbd89deb7d3',
    title: 'swiotlb: information leak with DMA_FROM_DEVICE',
    needs: 'swiotlb',
  },
  {
    source: 'f7572ad0 (stable)',
    title: 'mmc: bcm2835: dma_unmap_sg() with the number of mapped entries',
    needs: 'scatterlists, an IOMMU that merges',
  },
  {
    source: '06d129946a71',
    title: 'dpaa2-eth: the virtual address of an IOVA is asked for after its unmap',
    needs: 'an IOMMU',
  },
  {
    source: '8b02520ec5f7',
    title: 'iommu: iotlb_sync is skipped for an empty gather',
    needs: 'an IOMMU',
  },
  {
    source: '2acdb92e8541',
    title: 'sfc: a wrong address is unmapped with TSO',
    needs: 'scatterlists',
  },
  {
    source: '04867a7a3332',
    title: 'swiotlb: two mappings get one slot',
    needs: 'swiotlb',
  },
  {
    source: 'net: aquantia, drm/amdgpu',
    title: 'a cache of the device itself is not invalidated',
    needs: 'the GPU',
  },
  {
    source: 'udmabuf',
    title: 'the direction of release_udmabuf() is not that of its mapping',
    needs: 'dma-buf',
  },
  {
    source: 'arch/arm/common/dmabounce.c of 2.6.35',
    title: 'dmabounce: a pool that is exhausted answers 0, which is no error',
    needs: 'bounce buffers',
  },
  {
    source: 'cache-v6.S of 2.6.35',
    title: 'ARM11 MPCore: maintenance that other cores do not see (DMA_CACHE_RWFO)',
    needs: 'a core that dmabench does not model',
  },
  {
    source: 'SADA class B',
    title: 'data of a device is trusted',
    needs: 'a device that lies',
  },
];

const isNote = (rule: RuleId): boolean => RULES[rule].severity === 'note';

/** What the checker made of a driver, without notes. */
const findingsOf = (t: CaseContext, run: () => number): readonly RuleId[] => {
  t.takeFindings();
  run();
  return t.takeFindings().filter(rule => !isNote(rule));
};

const list = (rules: readonly RuleId[]): string => [...new Set(rules)].join(', ');

/** The buggy driver is found as its kind of board demands, and for what it does wrong. */
const checkBuggy = (t: CaseContext, bug: Bug, bench: DriverBench): readonly RuleId[] => {
  const found = findingsOf(t, () => bug.buggy(bench));
  const shows = bug.shows(bench);
  const who = `${bench.dev.name}: the driver with the bug`;
  const own = [...bug.rules, ...(bug.provisional ?? [])];
  const isFound = found.some(rule => own.includes(rule));
  if (shows === 'must') t.ok(isFound, `${who} to break ${bug.rules.join(' or ')}`);
  if (shows === 'never') t.ok(found.length === 0, `${who} to do no harm here: ${list(found)}`);
  const known = [...own, ...(bug.consequences ?? [])];
  const others = found.filter(rule => !known.includes(rule));
  if (shows !== 'never' && others.length > 0) t.fail(`${who} breaks ${list(others)}`);
  return found;
};

/**
 * The columns of a bug's row: what finds it on this board. What the history of a line will say of a
 * finding is not known yet: it is named as the bug's own.
 */
const rowOf = (
  bug: Bug,
  found: readonly RuleId[],
  isHarmless: boolean,
): Readonly<Record<string, string>> => {
  const { rules, provisional = [], consequences = [] } = bug;
  const named = found.filter(rule => rules.includes(rule) && rule !== 'dma-debug');
  const isNamed = found.includes('dma-debug') || named.length > 0;
  const own = !isNamed && found.some(rule => provisional.includes(rule)) ? rules : named;
  const byChecker = list([...own, ...found.filter(rule => consequences.includes(rule))]);
  const nothing = isHarmless ? 'harmless here' : '-';
  return {
    bug: bug.title,
    source: bug.source,
    checker: byChecker === '' ? nothing : byChecker,
    'dma-debug': found.includes('dma-debug') ? 'found' : '-',
  };
};

/** With what the bug is run: a device that does not snoop, and one that does. */
export const benchesFor = (machine: Machine, { masters }: Bug): readonly DriverBench[] => {
  const kinds = masters === undefined ? (['non-coherent', 'coherent'] as const) : [masters];
  return kinds.flatMap(kind => DriverBench.on(machine, kind) ?? []);
};

const caseOf = (bug: Bug): Case => ({
  name: bug.name,
  unfit: bug.unfit,
  run: t => {
    const found: RuleId[] = [];
    const benches = benchesFor(t.machine, bug);
    if (benches.length === 0) t.skip('no master of this board serves: reaches RAM, snoops or not');
    for (const bench of benches) {
      found.push(...checkBuggy(t, bug, bench));
      let wrong = 0;
      const rules = findingsOf(t, () => (wrong = bug.fixed(bench)));
      t.equal(wrong, 0, `${bench.dev.name}: the wrong bytes of the driver without the bug`);
      t.ok(rules.length === 0, `${bench.dev.name}: no finding of it, not ${list(rules)}`);
    }
    const isHarmless = benches.every(bench => bug.shows(bench) === 'never');
    t.row = rowOf(bug, found, isHarmless);
  },
});

export const bugsSuite: Suite = {
  name: 'bugs',
  summary: 'bugs that were in the kernel, each with what cured it',
  unfit: machine => (machine.findings === null ? 'only a run under `all` has findings' : null),
  cases: BUGS.map(caseOf),
};
