import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { offsetBy } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { invariant } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { bootMachine } from '../../machines/boot';
import {
  DmaDirection,
  dmaAllocCoherent,
  dmaFreeCoherent,
  dmaMapSgtable,
  dmaSyncSgtableForCpu,
  dmaUnmapSgtable,
} from '../../mm/dma-mapping-common';
import { pfnToPage } from '../../mm/page-alloc';
import { SgEntry, SgTable, sgSetBuf } from '../../mm/scatterlist';
import { planOf } from '../support/booted';

/* Who owns what behind an IOMMU: the device names addresses of its own, memory is physical. */

const { Bidirectional } = DmaDirection;

test('lists that are merged, and coherent memory in pieces, belong to whom they do without an IOMMU', t => {
  const machine = bootMachine(planOf('mixed'), {
    ...{ adversary: 'all', random: new Random(1), timing: 'latest', streaming: ALL_STEPS },
  });
  const { kernel, findings, observer, masters } = machine;
  const { cpu, mm, slab } = kernel;
  const master = masters
    .map(({ device }) => device)
    .find(({ dev }) => !dev.dma.coherent && dev.dma.ops?.iova !== undefined);
  invariant(master !== undefined && findings !== null && observer !== null, 'no such master');
  const { dev } = master;
  const rules = (): string[] => findings.take().map(({ rule }) => rule);
  t.deepEqual(rules(), []);

  const buffers = [0, 1].map(() => {
    const at = slab.kmalloc(PAGE_SIZE, GFP_KERNEL);
    invariant(at !== null, 'no memory');
    for (let offset = 0; offset < PAGE_SIZE; offset += 4) cpu.store32(offsetBy(at, offset), 1);
    return at;
  });
  const table = new SgTable(
    buffers.map(at => {
      const entry = new SgEntry(pfnToPage(0), 0, 0);
      sgSetBuf(mm.layout, entry, at, PAGE_SIZE);
      return entry;
    }),
  );
  const [first, second] = buffers;
  invariant(first !== undefined && second !== undefined, 'two buffers');
  t.is(dmaMapSgtable(dev, table, Bidirectional), 0);
  t.is(table.nents, 1, 'merged');
  const address = table.sgl[0]?.dmaAddress;
  invariant(address !== undefined, 'mapped');
  t.is(master.writePattern(offsetBy(address, PAGE_SIZE), 64, 3), 0);
  t.deepEqual(rules(), []);
  cpu.load32(second);
  const start = mm.layout.virtToPhys(second);
  t.deepEqual(
    findings.take().map(({ rule, buffer }) => [rule, buffer?.range]),
    ['stale-cpu-read', 'cpu-access-to-device-buffer'].map(rule => [
      rule,
      { start, size: PAGE_SIZE },
    ]),
  );
  dmaSyncSgtableForCpu(dev, table, Bidirectional);
  cpu.load32(second);
  dmaUnmapSgtable(dev, table, Bidirectional);
  cpu.load32(first);
  t.deepEqual(rules(), []);

  const memory = dmaAllocCoherent(dev, 3 * PAGE_SIZE, GFP_KERNEL);
  invariant(memory !== null, 'no memory');
  const { cpuAddr, dmaHandle } = memory;
  master.writePattern(offsetBy(dmaHandle, 2 * PAGE_SIZE), 64, 3);
  cpu.load32(offsetBy(cpuAddr, 2 * PAGE_SIZE));
  cpu.store32(cpuAddr, 1);
  dmaFreeCoherent(dev, 3 * PAGE_SIZE, cpuAddr, dmaHandle);
  observer.finish();
  t.deepEqual(rules(), []);
});
