import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import {
  DmaDirection,
  dmaGetMaxSegSize,
  dmaGetMergeBoundary,
  dmaGetSegBoundary,
  dmaMapSg,
  dmaMapSgtable,
  dmaSetMaxSegSize,
  dmaSyncSgForCpu,
  dmaUnmapSg,
} from '../../../mm/dma-mapping-common';
import { SgEntry, SgTable } from '../../../mm/scatterlist';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

const { FromDevice, ToDevice } = DmaDirection;

/** Two pieces with a gap between them, filled. */
const withList = (bench: RuleBench, body: (list: SgEntry[]) => void): void => {
  bench.withPages(2 * PAGE_SIZE, (address, page) => {
    bench.fill(address, 1, 2 * SIZE);
    body([new SgEntry(page, 0, SIZE / 2), new SgEntry(page, SIZE, SIZE)]);
  });
};

const mapped = ({ t, dev }: RuleBench, list: SgEntry[], direction: DmaDirection): number => {
  const count = dmaMapSg(dev, list, list.length, direction);
  t.ok(count > 0 && count <= list.length, 'one segment or more, and no more than pieces');
  return count;
};

/** Rules 43 and 50 to 55: scatterlists. */
export const LIST_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 43,
    name: 'a_list_is_synced_whole',
    right: bench => {
      withList(bench, list => {
        mapped(bench, list, FromDevice);
        dmaSyncSgForCpu(bench.dev, list, list.length, FromDevice);
        dmaUnmapSg(bench.dev, list, list.length, FromDevice);
      });
    },
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          withList(bench, list => {
            mapped(bench, list, FromDevice);
            dmaSyncSgForCpu(bench.dev, list, 1, FromDevice);
            dmaUnmapSg(bench.dev, list, list.length, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 50,
    name: 'a_list_is_mapped_once',
    wrong: [
      {
        caughtBy: ['dma-debug'],
        // Where buffers that share a line are bounced, dma-debug does not look.
        isHarmless: ({ kernel }) =>
          kernel.mm.layout.image === 'arm64' && kernel.dma.bounce?.name === 'swiotlb',
        run: bench => {
          withList(bench, list => {
            mapped(bench, list, FromDevice);
            const again = list.map(({ page, offset, length }) => new SgEntry(page, offset, length));
            mapped(bench, again, FromDevice);
            dmaUnmapSg(bench.dev, again, again.length, FromDevice);
            dmaUnmapSg(bench.dev, list, list.length, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 51,
    name: 'a_list_that_cannot_be_mapped_is_0_and_a_table_says_why',
    unfit: bench => {
      const { dev } = bench;
      return dev.dma.ops?.dmaSupported(dev, 0xfff) === true ? 'any mask is taken' : null;
    },
    right: bench => {
      const { t, dev } = bench;
      withList(bench, list => {
        const { mask } = dev.dma;
        dev.dma.mask = 0xfff;
        t.equal(dmaMapSg(dev, list, list.length, ToDevice), 0, 'dmaMapSg beyond the mask');
        t.ok(dmaMapSgtable(dev, new SgTable(list), ToDevice) < 0, 'dmaMapSgtable to be negative');
        dev.dma.mask = mask;
      });
    },
  }),
  dmaRule({
    number: 52,
    name: 'the_device_is_given_the_segments_that_mapping_answers',
    right: bench => {
      const { t, dev } = bench;
      withList(bench, list => {
        const segments = list.slice(0, mapped(bench, list, ToDevice));
        const total = segments.reduce((sum, { dmaLength }) => sum + dmaLength, 0);
        t.equal(total, SIZE / 2 + SIZE, 'the bytes of all segments');
        const [first] = segments;
        if (first !== undefined) bench.deviceFinds(first.dmaAddress, 1, SIZE / 2);
        dmaUnmapSg(dev, list, list.length, ToDevice);
      });
    },
  }),
  dmaRule({
    number: 53,
    name: 'a_list_is_unmapped_with_the_count_of_its_pieces',
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          withList(bench, list => {
            mapped(bench, list, FromDevice);
            dmaUnmapSg(bench.dev, list, list.length - 1, FromDevice);
            dmaUnmapSg(bench.dev, list.slice(1), 1, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 54,
    name: 'what_is_after_the_last_segment_has_no_length',
    unfit: ({ dev }) => (dmaGetMergeBoundary(dev) === 0 ? 'nothing is merged' : null),
    right: bench => {
      const { t, dev } = bench;
      bench.withPages(2 * PAGE_SIZE, (_address, page) => {
        const list = [new SgEntry(page, 0, PAGE_SIZE), new SgEntry(page, PAGE_SIZE, PAGE_SIZE)];
        t.equal(mapped(bench, list, FromDevice), 1, 'the segments of two adjacent pages');
        const lengths = list.map(({ dmaLength }) => dmaLength);
        t.equal(lengths[0] ?? 0, 2 * PAGE_SIZE, 'the bytes of the first');
        t.equal(lengths[1] ?? 1, 0, 'the bytes of the second');
        dmaUnmapSg(dev, list, 2, FromDevice);
      });
    },
  }),
  dmaRule({
    number: 55,
    name: 'no_segment_is_longer_than_the_device_takes',
    right: bench => {
      const { t, dev } = bench;
      withList(bench, list => {
        for (const { dmaLength, dmaAddress } of list.slice(0, mapped(bench, list, FromDevice))) {
          t.ok(dmaLength <= dmaGetMaxSegSize(dev), 'a segment that the device takes');
          const block = dmaGetSegBoundary(dev) + 1;
          const last = dmaAddress + dmaLength - 1;
          t.equal(Math.floor(last / block), Math.floor(dmaAddress / block), 'where it ends');
        }
        dmaUnmapSg(dev, list, list.length, FromDevice);
      });
    },
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          const { dev } = bench;
          withList(bench, list => {
            dmaSetMaxSegSize(dev, SIZE / 2);
            mapped(bench, list, FromDevice);
            dmaUnmapSg(dev, list, list.length, FromDevice);
          });
        },
      },
    ],
  }),
];
