import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaMapPhys,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapPhys,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { dmaRule } from './rule';
import type { DmaRule, Misuse } from './rule';

const { Bidirectional, ToDevice } = DmaDirection;

/** Maintenance that a mapping of a buffer and its end do. */
const maintainedBy = (bench: RuleBench, attrs?: number): number => {
  let count = 0;
  bench.withPages(PAGE_SIZE, address => {
    bench.fill(address, 56);
    const before = bench.maintained;
    const dma = bench.map(address, SIZE, ToDevice, attrs);
    dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice, attrs);
    count = bench.maintained - before;
  });
  return count;
};

const WITHOUT_SYNC: Misuse = {
  caughtBy: ['stale-device-read'],
  consequences: ['missing-write-barrier', 'missing-completion', 'missing-outer-sync'],
  isHarmless: ({ dev }) => dev.dma.coherent,
  run: bench => {
    const attrs = DmaAttr.SkipCpuSync;
    const run = (_address: unknown, dma: ReturnType<typeof dmaMapSingle>): void => {
      bench.device.checkPattern(dma, SIZE, 0);
      dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice, attrs);
    };
    bench.withMapping(ToDevice, run, attrs);
  },
};

/** Rules 56, 64, 69 and 70: attributes of mappings. */
export const ATTRIBUTE_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 56,
    name: 'no_attributes_are_as_no_argument',
    right: bench => {
      const without = maintainedBy(bench);
      bench.t.equal(maintainedBy(bench, DmaAttr.None), without, 'the lines that are maintained');
    },
  }),
  dmaRule({
    number: 64,
    name: 'who_asks_for_no_sync_syncs_before_and_after',
    unfit: ({ bounce }) =>
      bounce === 'dmabounce' ? 'nobody tells what an unfilled safe buffer holds' : null,
    right: bench => {
      const { dev } = bench;
      const attrs = DmaAttr.SkipCpuSync;
      const run = (
        address: Parameters<typeof dmaMapSingle>[1],
        dma: ReturnType<typeof dmaMapSingle>,
      ): void => {
        dmaSyncSingleForDevice(dev, dma, SIZE, Bidirectional);
        bench.deviceWrites(dma, 64);
        dmaSyncSingleForCpu(dev, dma, SIZE, Bidirectional);
        dmaUnmapSingle(dev, dma, SIZE, Bidirectional, attrs);
        bench.cpuFinds(address, 64);
      };
      bench.withMapping(Bidirectional, run, attrs);
      // Nothing is maintained by the mapping itself; what is bounced is copied all the same.
      const isPlain = bench.bounce === null && !bench.isTranslated;
      if (isPlain) bench.t.equal(maintainedBy(bench, attrs), 0, 'the lines maintained');
    },
    wrong: [WITHOUT_SYNC],
  }),
  dmaRule({
    number: 69,
    name: 'registers_are_mapped_and_no_cache_is_maintained',
    right: bench => {
      const { t, dev } = bench;
      const { start, size } = t.need(dev.registers[0], 'registers');
      const before = bench.maintained;
      const dma = dmaMapPhys(dev, start, size, ToDevice, DmaAttr.Mmio);
      const isMapped = dmaMappingError(dev, dma) === 0;
      if (isMapped) dmaUnmapPhys(dev, dma, size, ToDevice, DmaAttr.Mmio);
      // Table words of an IOMMU that does not snoop are cleaned.
      t.ok(bench.isTranslated || bench.maintained === before, 'no line to be maintained');
    },
  }),
  dmaRule({
    number: 70,
    name: 'who_asks_for_coherence_gets_it_or_nothing',
    right: bench => {
      const { t, dev } = bench;
      bench.withPages(PAGE_SIZE, address => {
        bench.fill(address, 70);
        const dma = dmaMapSingle(dev, address, SIZE, ToDevice, DmaAttr.RequireCoherent);
        t.equal(dmaMappingError(dev, dma) === 0 ? 1 : 0, bench.sees ? 1 : 0, 'that it is mapped');
        if (dma === DMA_MAPPING_ERROR) return;
        bench.deviceFinds(dma, 70);
        dmaUnmapSingle(dev, dma, SIZE, ToDevice, DmaAttr.RequireCoherent);
      });
    },
  }),
];
