import test from 'ava';
import fc from 'fast-check';
import type { Device, DeviceDma, DmaMapOps } from '../../drivers/base/kernel/device';
import { EINVAL, EIO, ENOMEM, EREMOTEIO } from '../../drivers/base/kernel/errno';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { dmaAddr, offsetBy, physAddr } from '../../drivers/base/types/address';
import type { PhysAddr } from '../../drivers/base/types/address';
import { GIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaMapPage,
  dmaMapPhys,
  dmaMapResource,
  dmaMapSg,
  dmaMapSgtable,
  dmaSyncSgForCpu,
  dmaSyncSgForDevice,
  dmaSyncSgtableForCpu,
  dmaSyncSgtableForDevice,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapPage,
  dmaUnmapPhys,
  dmaUnmapResource,
  dmaUnmapSg,
  dmaUnmapSgtable,
} from '../../mm/dma-mapping-common';
import { pfnToPage } from '../../mm/page-alloc';
import { SgEntry, SgTable } from '../../mm/scatterlist';
import { boot } from '../support/booted';
import { dmaDevice } from '../support/dma-device';
import { SLOTS, Stages } from '../support/fake-stages';

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;
const { services } = boot('versatile-pb').kernel;
const device = (ops: DmaMapOps | null, dma: Partial<DeviceDma> = {}): Device =>
  dmaDevice(services, { ops, ...dma });

/** One mapping of page 2 and all that can be done with it. */
const oneMapping = (dev: Device, stages: Stages): Record<string, string[]> => {
  const address = dmaMapPage(dev, pfnToPage(2), 16, 64, Bidirectional);
  const map = stages.take();
  dmaSyncSingleForCpu(dev, offsetBy(address, 8), 4, Bidirectional);
  const cpu = stages.take();
  dmaSyncSingleForDevice(dev, offsetBy(address, 8), 4, Bidirectional);
  const back = stages.take();
  dmaUnmapPage(dev, address, 64, Bidirectional);
  return { map, cpu, back, unmap: stages.take() };
};

test('the classical tables come out of one composition: what each does, and in which order', t => {
  const at = 2 * PAGE_SIZE + 16;
  const slot = SLOTS + 16;
  const nothing = { map: [], cpu: [], back: [], unmap: [] };
  const maintained = {
    map: [`for device ${at} 64`],
    cpu: [`for CPU ${at + 8} 4`],
    back: [`for device ${at + 8} 4`],
    unmap: [`for CPU ${at} 64`],
  };
  const bounced = {
    map: [`copy in ${at} 64`, `for device ${slot} 64`],
    cpu: [`for CPU ${slot + 8} 4`, `copy out part ${slot + 8} 4`],
    back: [`copy in part ${slot + 8} 4`, `for device ${slot + 8} 4`],
    unmap: [`for CPU ${slot} 64`, `copy out ${slot} 64`],
  };
  const behindIommu = (calls: typeof bounced, where: number): typeof bounced => ({
    ...calls,
    map: [...calls.map, `translate ${where} 64`],
    unmap: [`end ${where} 64`, ...calls.unmap],
  });
  const withoutCaches = (calls: typeof bounced): typeof bounced => {
    const kept = (list: string[]): string[] => list.filter(call => !call.startsWith('for '));
    return {
      map: kept(calls.map),
      cpu: kept(calls.cpu),
      back: kept(calls.back),
      unmap: kept(calls.unmap),
    };
  };
  for (const [name, translation, cache, bounces, expected] of [
    ['arm_dma_ops', 'direct', true, false, maintained],
    ['arm_coherent_dma_ops', 'direct', false, false, nothing],
    ['iommu_ops', 'iommu', true, false, behindIommu(maintained, at)],
    ['iommu_coherent_ops', 'iommu', false, false, behindIommu(nothing, at)],
    ['dmabounce_ops', 'direct', true, true, bounced],
    ['bounced and coherent', 'direct', false, true, withoutCaches(bounced)],
    ['bounced behind an IOMMU', 'iommu', true, true, behindIommu(bounced, slot)],
    ['all but caches', 'iommu', false, true, withoutCaches(behindIommu(bounced, slot))],
  ] as const) {
    const stages = new Stages();
    if (bounces) stages.bouncesFrom = 0;
    const dev = device(stages.ops(translation, cache, bounces));
    t.deepEqual(oneMapping(dev, stages), expected, name);
    t.is(stages.slotsLeft, 8, name);
  }
});

test('a device that can bounce is bounced only where it must be', t => {
  const stages = new Stages();
  const dev = device(stages.ops('direct', true, true), { mask: 0x1fffff });
  dmaMapPage(dev, pfnToPage(3), 0, 8, ToDevice);
  t.deepEqual(stages.take(), [`for device ${3 * PAGE_SIZE} 8`]);
  const address = dmaMapPage(dev, pfnToPage(0x300), 4, 8, ToDevice);
  t.is(address, dmaAddr(SLOTS + 4));
  t.deepEqual(stages.take(), [`copy in ${0x300 * PAGE_SIZE + 4} 8`, `for device ${SLOTS + 4} 8`]);
});

test('each failure of a mapping undoes what was done before it', t => {
  const stages = new Stages();
  const behind = device(stages.ops('iommu', true, true));
  stages.mapsLeft = 0;
  t.is(dmaMapPage(behind, pfnToPage(2), 0, 8, FromDevice), DMA_MAPPING_ERROR);
  t.deepEqual(stages.take(), ['for device 8192 8', 'translate 8192 8']);
  stages.bouncesFrom = 0;
  t.is(dmaMapPage(behind, pfnToPage(2), 0, 8, FromDevice), DMA_MAPPING_ERROR);
  const [copied, cleaned, translated, dropped] = stages.take();
  t.deepEqual([copied, translated], ['copy in 8192 8', `translate ${SLOTS} 8`]);
  t.deepEqual([cleaned, dropped], [`for device ${SLOTS} 8`, `drop ${SLOTS} 8`]);
  t.is(stages.slotsLeft, 8);
  stages.slotsLeft = 0;
  const full = device(stages.ops('direct', true, true));
  t.is(dmaMapPage(full, pfnToPage(2), 0, 8, FromDevice), DMA_MAPPING_ERROR);
  t.deepEqual(stages.take(), ['copy in 8192 8']);
  const blind = device(stages.ops('direct', true, true), { mask: 0xfff });
  stages.slotsLeft = 1;
  t.is(dmaMapPage(blind, pfnToPage(2), 0, 8, FromDevice), DMA_MAPPING_ERROR);
  t.deepEqual(stages.take(), ['copy in 8192 8', `drop ${SLOTS} 8`]);
});

test('rule 64: SKIP_CPU_SYNC skips the caches and the copy back, and the slot is taken and given back', t => {
  const stages = new Stages();
  stages.bouncesFrom = 0;
  const dev = device(stages.ops('direct', true, true));
  const address = dmaMapPage(dev, pfnToPage(2), 0, 8, FromDevice, DmaAttr.SkipCpuSync);
  dmaUnmapPage(dev, address, 8, FromDevice, DmaAttr.SkipCpuSync);
  t.deepEqual(stages.take(), ['copy in 8192 8', `drop ${SLOTS} 8`]);
  t.is(stages.slotsLeft, 8);
});

test('rule 70: REQUIRE_COHERENT fails where caches would be maintained or data bounced', t => {
  const stages = new Stages();
  const map = (dev: Device): number =>
    dmaMapPage(dev, pfnToPage(2), 0, 8, FromDevice, DmaAttr.RequireCoherent);
  t.is(map(device(stages.ops('direct', true, false))), DMA_MAPPING_ERROR);
  t.is(map(device(stages.ops('direct', false, true))), 2 * PAGE_SIZE);
  const entries = list(1);
  const behind = device(stages.ops('iommu', true, false));
  t.is(dmaMapSg(behind, entries, 1, FromDevice, DmaAttr.RequireCoherent), 0);
  stages.bouncesFrom = 0;
  t.is(map(device(stages.ops('direct', false, true))), DMA_MAPPING_ERROR);
  t.deepEqual(stages.take(), []);
});

const list = (...pfns: number[]): SgEntry[] =>
  pfns.map(pfn => new SgEntry(pfnToPage(pfn), 0, PAGE_SIZE));

test('a list goes piece by piece where nothing merges; rule 53: original nents in every call', t => {
  const stages = new Stages();
  const dev = device(stages.ops('direct', true, false));
  const entries = list(1, 2, 3);
  t.is(dmaMapSg(dev, entries, 2, FromDevice), 2);
  t.deepEqual(stages.take(), ['for device 4096 4096', 'for device 8192 4096']);
  t.deepEqual(
    entries.map(({ dmaAddress, dmaLength }) => [dmaAddress, dmaLength]),
    [
      [dmaAddr(4096), 4096],
      [dmaAddr(8192), 4096],
      [dmaAddr(0), 0],
    ],
  );
  dmaSyncSgForCpu(dev, entries, 2, FromDevice);
  dmaSyncSgForDevice(dev, entries, 1, FromDevice);
  t.deepEqual(stages.take(), ['for CPU 4096 4096', 'for CPU 8192 4096', 'for device 4096 4096']);
  dmaUnmapSg(dev, entries, 2, FromDevice);
  t.deepEqual(stages.take(), ['for CPU 4096 4096', 'for CPU 8192 4096']);
});

test('where a translation merges, caches are maintained by piece and addresses by segment', t => {
  const stages = new Stages();
  const dev = device(stages.ops('iommu', true, true));
  const table = new SgTable(list(1, 2, 5));
  t.is(dmaMapSgtable(dev, table, FromDevice), 0);
  t.deepEqual([table.nents, table.origNents], [1, 3]);
  const pieces = (way: string): string[] => [1, 2, 5].map(pfn => `${way} ${pfn * 4096} 4096`);
  t.deepEqual(stages.take(), [...pieces('for device'), 'translate list 12288']);
  dmaSyncSgtableForCpu(dev, table, FromDevice);
  t.deepEqual(stages.take(), pieces('for CPU'));
  dmaSyncSgtableForDevice(dev, table, FromDevice);
  t.deepEqual(stages.take(), pieces('for device'));
  dmaUnmapSgtable(dev, table, FromDevice);
  t.deepEqual(stages.take(), ['end list of 3', ...pieces('for CPU')]);
  dmaMapSgtable(dev, table, ToDevice, DmaAttr.SkipCpuSync);
  dmaUnmapSgtable(dev, table, ToDevice, DmaAttr.SkipCpuSync);
  t.deepEqual(stages.take(), ['translate list 12288', 'end list of 3']);
});

test('rule 76: if one piece must be bounced, the whole list goes piece by piece, until it is unmapped', t => {
  const stages = new Stages();
  stages.bouncesFrom = 2 * PAGE_SIZE;
  const dev = device(stages.ops('iommu', false, true));
  const entries = list(1, 2);
  t.is(dmaMapSg(dev, entries, 2, Bidirectional), 2);
  t.deepEqual(stages.take(), [
    'translate 4096 4096',
    'copy in 8192 4096',
    `translate ${SLOTS} 4096`,
  ]);
  dmaSyncSgForCpu(dev, entries, 2, Bidirectional);
  dmaSyncSgForDevice(dev, entries, 2, Bidirectional);
  t.deepEqual(stages.take(), [`copy out part ${SLOTS} 4096`, `copy in part ${SLOTS} 4096`]);
  dmaUnmapSg(dev, entries, 2, Bidirectional);
  t.deepEqual(stages.take(), ['end 4096 4096', `end ${SLOTS} 4096`, `copy out ${SLOTS} 4096`]);
  stages.bouncesFrom = Infinity;
  t.is(dmaMapSg(dev, entries, 2, Bidirectional), 1);
  t.deepEqual(stages.take(), ['translate list 8192']);
});

test('rule 51: dmaMapSg answers 0 for every failure, dmaMapSgtable which of four it was', t => {
  const stages = new Stages();
  const dev = device(stages.ops('iommu', false, false));
  for (const [result, error] of [
    [-EINVAL, -EINVAL],
    [-ENOMEM, -ENOMEM],
    [-EIO, -EIO],
    [-EREMOTEIO, -EREMOTEIO],
    [-99, -EIO],
    [0, -EIO],
  ] as const) {
    stages.sgResult = result;
    const table = new SgTable(list(1, 2));
    t.is(dmaMapSgtable(dev, table, ToDevice), error);
    t.is(table.nents, 2, 'as it was');
    t.is(dmaMapSg(dev, table.sgl, 2, ToDevice), 0);
  }
  const nowhere = device(null);
  t.is(dmaMapSg(nowhere, list(1), 1, ToDevice), 0);
  t.is(dmaMapSgtable(nowhere, new SgTable(list(1)), ToDevice), 0, 'dma_mask is NULL');
});

test('rule 48: a list that fails in the middle leaves nothing mapped, for every middle there is', t => {
  for (let failing = 0; failing < 4; failing++) {
    const stages = new Stages();
    stages.bouncesFrom = 0;
    stages.slotsLeft = failing;
    const dev = device(stages.ops('direct', true, true));
    t.is(dmaMapSgtable(dev, new SgTable(list(1, 2, 3, 4)), FromDevice), -EIO);
    t.is(stages.slotsLeft, failing);
    t.is(stages.take().filter(call => call.startsWith('drop')).length, failing);
  }
});

test('resources: their own address on the bus, no caches, DMA_MAPPING_ERROR beyond the mask', t => {
  const stages = new Stages();
  const dev = device(stages.ops('direct', true, true), {
    rangeMap: [{ dma: dmaAddr(0), cpu: physAddr(0x4000_0000), size: GIB }],
  });
  const address = dmaMapResource(dev, physAddr(0x9000_0010), 4, ToDevice);
  t.is(address, dmaAddr(0x9000_0010));
  dmaUnmapResource(dev, address, 4, ToDevice);
  t.deepEqual(stages.take(), []);
  dev.dma.mask = 0x9000_0012;
  t.is(dmaMapResource(dev, physAddr(0x9000_0010), 4, ToDevice), DMA_MAPPING_ERROR);
  const behind = device(stages.ops('iommu', true, false));
  const iova = dmaMapResource(behind, physAddr(0x9000), 4, ToDevice);
  dmaUnmapResource(behind, iova, 4, ToDevice);
  t.deepEqual(stages.take(), [`end 36864 4`]);
  t.is(dmaMapResource(device(null), physAddr(0), 4, ToDevice), DMA_MAPPING_ERROR);
});

test('rule 69: registers by dmaMapPhys are as resources, memory as pages', t => {
  const stages = new Stages();
  const dev = device(stages.ops('direct', true, false));
  const { Mmio } = DmaAttr;
  const registers = dmaMapPhys(dev, physAddr(0x9010), 4, FromDevice, Mmio);
  dmaUnmapPhys(dev, registers, 4, FromDevice, Mmio);
  t.deepEqual([registers, stages.take()], [dmaAddr(0x9010), []]);
  const memory = dmaMapPhys(dev, physAddr(0x9010), 4, FromDevice);
  dmaUnmapPhys(dev, memory, 4, FromDevice);
  t.deepEqual(stages.take(), [`for device 36880 4`, `for CPU 36880 4`]);
});

test('rule 39: DMA_NONE is a kernel bug in every call on a list or a resource', t => {
  const dev = device(new Stages().ops('direct', true, false));
  const none = DmaDirection.None;
  for (const call of [
    () => dmaMapSg(dev, list(1), 1, none),
    () => dmaMapSgtable(dev, new SgTable(list(1)), none),
    () => {
      dmaUnmapSg(dev, list(1), 1, none);
    },
    () => {
      dmaSyncSgForCpu(dev, list(1), 1, none);
    },
    () => {
      dmaSyncSgForDevice(dev, list(1), 1, none);
    },
    () => dmaMapResource(dev, physAddr(0), 1, none),
    () => {
      dmaUnmapResource(dev, dmaAddr(0), 1, none);
    },
  ]) {
    t.throws(call, { instanceOf: KernelOops, message: /^kernel BUG/ });
  }
});

/**
 * A device that writes whenever it can, a line that the CPU reads whenever it can, and memory: what
 * is left when a mapping has ended.
 */
const lateWrite = (order: readonly ('invalidate' | 'end')[]): { seen: number; memory: number } => {
  let [memory, line, isMapped] = [0, null as number | null, true];
  const deviceWrites = (value: number): void => {
    if (isMapped) memory = value;
  };
  const cpuReads = (): number => (line ??= memory);
  deviceWrites(1);
  for (const step of order) {
    if (step === 'invalidate') line = null;
    else isMapped = false;
    cpuReads();
    deviceWrites(2);
  }
  return { seen: cpuReads(), memory };
};

test('the translation ends before the caches are invalidated: the other way round, as arm_iommu_unmap_page did, late data is lost', t => {
  const stages = new Stages();
  const dev = device(stages.ops('iommu', true, false));
  const { unmap = [] } = oneMapping(dev, stages);
  const ours = unmap.map(call => (call.startsWith('end') ? 'end' : 'invalidate'));
  const good = lateWrite(ours);
  t.is(good.seen, good.memory);
  const bad = lateWrite([...ours].reverse());
  t.not(bad.seen, bad.memory, 'the CPU reads a line that was refilled before the device stopped');
});

test('mappings of any kind, in any order, are each undone: no slot and no address is left', t => {
  const step = fc.record({
    pfn: fc.integer({ min: 1, max: 40 }),
    size: fc.integer({ min: 1, max: PAGE_SIZE }),
    attrs: fc.constantFrom(DmaAttr.None, DmaAttr.SkipCpuSync),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 20 }),
      fc.constantFrom<'direct' | 'iommu'>('direct', 'iommu'),
      fc.integer({ min: 0, max: 8 }),
      (steps, translation, slots) => {
        const stages = new Stages();
        stages.bouncesFrom = 20 * PAGE_SIZE;
        stages.slotsLeft = slots;
        const dev = device(stages.ops(translation, true, true));
        const live: { address: PhysAddr; undo: () => void }[] = [];
        for (const { pfn, size, attrs } of steps) {
          const address = dmaMapPage(dev, pfnToPage(pfn), 0, size, ToDevice, attrs);
          if (address === DMA_MAPPING_ERROR) continue;
          const undo = (): void => {
            dmaUnmapPage(dev, address, size, ToDevice, attrs);
          };
          live.push({ address: physAddr(pfn * PAGE_SIZE), undo });
        }
        for (const { undo } of live) undo();
        t.is(stages.slotsLeft, slots);
        const count = (word: string): number =>
          stages.told.filter(call => call.startsWith(word)).length;
        t.is(count('translate'), count('end '));
      },
    ),
    { numRuns: 50 },
  );
});
