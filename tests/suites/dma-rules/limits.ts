import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import { EIO } from '../../../drivers/base/kernel/errno';
import { GFP_HIGHUSER } from '../../../drivers/base/kernel/gfp';
import { offsetBy } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import {
  DmaDirection,
  dmaBitMask,
  dmaGetMask,
  dmaGetMergeBoundary,
  dmaGetRequiredMask,
  dmaMapPage,
  dmaMapSg,
  dmaMapSingle,
  dmaMappingError,
  dmaMaxMappingSize,
  dmaNeedSync,
  dmaSetCoherentMask,
  dmaSetMask,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapPage,
  dmaUnmapSg,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { SgEntry } from '../../../mm/scatterlist';
import { pageToPhys } from '../../../mm/page-alloc';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;

const WIDTHS = [32, 33, 36, 40, 48, 64];
/** Larger mappings are not tried where there is no limit. */
const LARGE = 8 * PAGE_SIZE;

const FOUR_GIB = 2 ** 32;

/** A page beyond 4 GiB for the length of the body; or why there is none. */
const withFarPage = (
  { t, kernel: { mm } }: RuleBench,
  body: (page: Page) => string | null,
): string | null => {
  const page = t.need(mm.pages.allocPages(GFP_HIGHUSER, 0), 'a page');
  const isFar = pageToPhys(page) >= FOUR_GIB;
  const result = isFar ? body(page) : 'no memory beyond 4 GiB';
  mm.pages.freePagesAt(page, 0);
  return result;
};

/** Rules 16 to 24: masks and limits. */
export const LIMIT_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 16,
    name: 'memory_beyond_the_default_mask_is_mapped_once_a_wider_one_was_set',
    unfit: bench => withFarPage(bench, () => null) ?? null,
    right: bench => {
      const { t, dev } = bench;
      withFarPage(bench, page => {
        dev.dma.mask = dmaBitMask(32);
        const near = dmaMapPage(dev, page, 0, SIZE, FromDevice);
        const isNear = dmaMappingError(dev, near) === 0;
        t.ok(!isNear || near < FOUR_GIB, 'an address below 4 GiB, or none');
        if (isNear) dmaUnmapPage(dev, near, SIZE, FromDevice);
        dmaSetMask(dev, dmaBitMask(64));
        const far = dmaMapPage(dev, page, 0, SIZE, FromDevice);
        t.equal(dmaMappingError(dev, far), 0, 'dmaMappingError under a mask of 64 bits');
        bench.deviceWrites(far, 16);
        dmaUnmapPage(dev, far, SIZE, FromDevice);
        bench.kernel.mm.kmap.with(page, address => {
          bench.cpuFinds(address, 16);
        });
        return null;
      });
    },
  }),
  dmaRule({
    number: 17,
    name: 'a_mask_of_32_bits_or_more_is_never_refused',
    right: ({ t, dev }) => {
      for (const bits of WIDTHS) {
        t.equal(dmaSetMask(dev, dmaBitMask(bits)), 0, `the result of dmaSetMask of ${bits} bits`);
      }
    },
  }),
  dmaRule({
    number: 18,
    name: 'the_coherent_mask_may_be_as_wide_as_the_streaming_one_or_narrower',
    right: ({ t, dev }) => {
      for (const bits of WIDTHS) {
        dmaSetMask(dev, dmaBitMask(bits));
        for (const narrower of WIDTHS.filter(width => width <= bits)) {
          const result = dmaSetCoherentMask(dev, dmaBitMask(narrower));
          t.equal(result, 0, `the result of dmaSetCoherentMask of ${narrower} of ${bits} bits`);
        }
      }
    },
  }),
  dmaRule({
    number: 19,
    name: 'a_mask_that_is_refused_changes_nothing',
    unfit: ({ dev }) =>
      dev.dma.ops?.dmaSupported(dev, 0xfff) === true ? 'any mask is taken' : null,
    right: ({ t, dev }) => {
      const before = dmaGetMask(dev);
      t.equal(dmaSetMask(dev, 0xfff), -EIO, 'the result of dmaSetMask of 12 bits');
      t.equal(dmaGetMask(dev), before, 'the mask');
      const coherent = dev.dma.coherentMask;
      t.equal(dmaSetCoherentMask(dev, 0xfff), -EIO, 'the result of dmaSetCoherentMask');
      t.equal(dev.dma.coherentMask, coherent, 'the coherent mask');
    },
  }),
  dmaRule({
    number: 20,
    name: 'to_ask_for_the_required_mask_changes_none',
    right: ({ t, dev }) => {
      const before = dmaGetMask(dev);
      t.ok(dmaGetRequiredMask(dev) > 0, 'a required mask');
      t.equal(dmaGetMask(dev), before, 'the mask');
    },
  }),
  dmaRule({
    number: 21,
    name: 'a_mapping_of_the_largest_size_is_made',
    right: bench => {
      const { t, dev } = bench;
      const size = Math.min(dmaMaxMappingSize(dev), LARGE);
      t.ok(size >= PAGE_SIZE, 'a page to be mapped at once');
      bench.withPages(size, address => {
        const last = size - SIZE;
        bench.fill(offsetBy(address, last), 21);
        const dma = bench.map(address, size, ToDevice);
        bench.deviceFinds(offsetBy(dma, last), 21);
        dmaUnmapSingle(dev, dma, size, ToDevice);
      });
    },
  }),
  dmaRule({
    number: 22,
    name: 'syncs_that_are_not_needed_do_nothing',
    right: bench => {
      const { t, dev } = bench;
      bench.withMapping(Bidirectional, (_address, dma) => {
        const before = bench.maintained;
        dmaSyncSingleForCpu(dev, dma, SIZE, Bidirectional);
        dmaSyncSingleForDevice(dev, dma, SIZE, Bidirectional);
        const isNeeded = dmaNeedSync(dev, dma);
        t.ok(
          isNeeded || bench.maintained === before,
          'no maintenance in syncs that are not needed',
        );
        t.ok(
          isNeeded !== bench.sees,
          'syncs to be needed where the two sides do not see each other',
        );
        dmaUnmapSingle(dev, dma, SIZE, Bidirectional);
      });
    },
  }),
  dmaRule({
    number: 23,
    name: 'without_a_merge_boundary_nothing_is_merged',
    unfit: ({ dev }) => (dmaGetMergeBoundary(dev) === 0 ? null : 'its translation merges'),
    right: bench => {
      const { t, dev } = bench;
      bench.withPages(2 * PAGE_SIZE, (_address, page) => {
        const list = [new SgEntry(page, 0, PAGE_SIZE), new SgEntry(page, PAGE_SIZE, PAGE_SIZE)];
        t.equal(dmaMapSg(dev, list, 2, FromDevice), 2, 'the segments of two adjacent pages');
        dmaUnmapSg(dev, list, 2, FromDevice);
      });
    },
  }),
  dmaRule({
    number: 24,
    name: 'no_address_is_beyond_the_mask',
    right: bench => {
      const { t, dev } = bench;
      bench.withPages(PAGE_SIZE, address => {
        for (const bits of [12, 24, 28, 32]) {
          const before = dev.dma.mask;
          dev.dma.mask = dmaBitMask(bits);
          const dma = dmaMapSingle(dev, address, SIZE, ToDevice);
          if (dmaMappingError(dev, dma) === 0) {
            t.ok(dma + SIZE - 1 <= dmaBitMask(bits), `an address below ${bits} bits`);
            dmaUnmapSingle(dev, dma, SIZE, ToDevice);
          } else {
            t.ok(true, 'a mapping that fails');
          }
          dev.dma.mask = before;
        }
      });
    },
  }),
];
