import { offsetBy } from '../../../drivers/base/types/address';
import { KIB, PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { PhysAddr } from '../../../drivers/base/types/address';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaMapSg,
  dmaMapSingle,
  dmaMappingError,
  dmaMaxMappingSize,
  dmaSetMinAlignMask,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSg,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { physToDma } from '../../../mm/dma-direct';
import { SgEntry } from '../../../mm/scatterlist';
import { SEGMENT_SLOTS, SLOT_SIZE } from '../../../mm/swiotlb-slots';
import type { SlotPool } from '../../../mm/swiotlb-slots';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;

const HALF = SIZE / 2;
/** The most that one mapping can have. */
const SEGMENT = SLOT_SIZE * SEGMENT_SLOTS;

const withoutBounce = ({ bounce }: RuleBench): string | null =>
  bounce === null ? 'nothing is bounced' : null;

const withoutSlots = ({ bounce }: RuleBench): string | null =>
  bounce === 'swiotlb' || bounce === 'restricted pool' ? null : 'no slots of swiotlb';

/** Of slots that a device has for itself nobody tells how many are taken. */
const withoutCommonSlots = (bench: RuleBench): string | null =>
  bench.bounce === 'restricted pool' ? 'slots that only the device has' : withoutSlots(bench);

const slotsOf = ({ t, kernel }: RuleBench): SlotPool => t.need(kernel.swiotlb, 'swiotlb').pool;

/** A page of which each half has a pattern of its own, mapped for the device to write. */
const withHalves = (
  bench: RuleBench,
  body: (address: Parameters<typeof dmaMapSingle>[1], dma: ReturnType<typeof dmaMapSingle>) => void,
): void => {
  bench.withPages(PAGE_SIZE, address => {
    bench.fill(address, 1, HALF);
    bench.fill(offsetBy(address, HALF), 2, HALF);
    body(address, bench.map(address, SIZE, FromDevice));
  });
};

/** As if other devices had all slots, for the length of the body. */
const withFullPool = (bench: RuleBench, body: () => void): void => {
  const pool = slotsOf(bench);
  const { segBoundary } = bench.dev.dma;
  const taken: PhysAddr[] = [];
  for (let size = SEGMENT; size >= SLOT_SIZE; size /= 2) {
    for (;;) {
      const slot = pool.take({
        ...{ original: pool.start, size, busStart: physToDma(bench.dev, pool.start) },
        ...{ minAlignMask: 0, allocAlignMask: 0, boundaryMask: segBoundary, cpu: 0 },
      });
      if (slot === null) break;
      taken.push(slot);
    }
  }
  body();
  for (const slot of taken) pool.release(slot, 0);
};

/** Rules 73 to 81: data that takes a detour. */
export const BOUNCE_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 73,
    name: 'what_the_device_does_not_write_comes_back_as_it_was',
    unfit: withoutSlots,
    right: bench => {
      withHalves(bench, (address, dma) => {
        bench.deviceWrites(dma, 73, HALF);
        dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
        bench.cpuFinds(address, 73, HALF);
        bench.cpuFinds(offsetBy(address, HALF), 2, HALF);
      });
    },
  }),
  dmaRule({
    number: 74,
    name: 'what_the_device_read_or_nobody_syncs_is_not_copied_back',
    unfit: withoutBounce,
    right: bench => {
      const { t, dev } = bench;
      withHalves(bench, (address, dma) => {
        bench.deviceWrites(dma, 74);
        dmaUnmapSingle(dev, dma, SIZE, FromDevice, DmaAttr.SkipCpuSync);
        bench.cpuFinds(address, 1, HALF);
        bench.cpuFinds(offsetBy(address, HALF), 2, HALF);
      });
      const { pulse } = t.machine.hardware.complex;
      bench.withMapping(ToDevice, (_address, dma) => {
        bench.deviceFinds(dma, 0);
        const before = pulse.now;
        dmaUnmapSingle(dev, dma, SIZE, ToDevice);
        t.ok(pulse.now - before < SIZE / 8, 'no copy of what the device has read');
      });
    },
  }),
  dmaRule({
    number: 75,
    name: 'a_part_is_synced_and_no_more_is_copied',
    unfit: withoutBounce,
    right: bench => {
      withHalves(bench, (address, dma) => {
        bench.deviceWrites(dma, 75);
        dmaSyncSingleForCpu(bench.dev, dma, HALF, FromDevice);
        bench.cpuFinds(address, 75, HALF);
        dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice, DmaAttr.SkipCpuSync);
        bench.cpuFinds(offsetBy(address, HALF), 2, HALF);
      });
    },
  }),
  dmaRule({
    number: 76,
    name: 'each_piece_of_a_list_has_a_slot_of_its_own',
    unfit: withoutCommonSlots,
    right: bench => {
      const { t, dev } = bench;
      const pool = slotsOf(bench);
      bench.withPages(PAGE_SIZE, (address, page) => {
        bench.fill(address, 76, 2 * SIZE);
        const list = [new SgEntry(page, 0, SIZE), new SgEntry(page, SIZE, SIZE)];
        const before = pool.used;
        t.equal(dmaMapSg(dev, list, 2, ToDevice), 2, 'the segments');
        t.equal(pool.used, before + 2, 'the slots that are taken');
        const [first] = list;
        if (first !== undefined) bench.deviceFinds(first.dmaAddress, 76);
        dmaUnmapSg(dev, list, 2, ToDevice);
        t.equal(pool.used, before, 'the slots that stay taken');
      });
    },
  }),
  dmaRule({
    number: 77,
    name: 'the_largest_mapping_is_a_segment_of_slots',
    unfit: withoutSlots,
    right: bench => {
      const { t, dev } = bench;
      t.equal(dmaMaxMappingSize(dev), 256 * KIB, 'the largest mapping');
      bench.withPages(2 * SEGMENT, address => {
        const dma = dmaMapSingle(dev, address, SEGMENT + 1, ToDevice, DmaAttr.NoWarn);
        t.ok(dmaMappingError(dev, dma) < 0, 'a larger one to fail');
      });
    },
  }),
  dmaRule({
    number: 78,
    name: 'a_slot_has_the_low_bits_that_the_device_needs',
    unfit: withoutSlots,
    right: bench => {
      const { t, dev } = bench;
      dmaSetMinAlignMask(dev, PAGE_SIZE - 1);
      bench.withPages(PAGE_SIZE, address => {
        for (const offset of [0, SIZE, 3000]) {
          const at = offsetBy(address, offset);
          bench.fill(at, 78, SIZE);
          const dma = bench.map(at, SIZE, ToDevice);
          t.equal(dma % PAGE_SIZE, offset, 'the offset in a page');
          bench.deviceFinds(dma, 78);
          dmaUnmapSingle(dev, dma, SIZE, ToDevice);
        }
      });
    },
  }),
  dmaRule({
    number: 79,
    name: 'a_slot_is_of_one_buffer',
    unfit: withoutSlots,
    right: bench => {
      const { t, dev } = bench;
      bench.withPages(PAGE_SIZE, address => {
        bench.fill(address, 79, 4 * SIZE);
        const mapped = [0, 1, 2, 3].map(n =>
          bench.map(offsetBy(address, n * SIZE), SIZE, ToDevice),
        );
        const slots = new Set(mapped.map(dma => Math.floor(dma / SLOT_SIZE)));
        t.equal(slots.size, mapped.length, 'the slots of as many buffers');
        for (const dma of mapped) dmaUnmapSingle(dev, dma, SIZE, ToDevice);
      });
    },
  }),
  dmaRule({
    number: 80,
    name: 'a_full_pool_is_an_error_at_once',
    unfit: withoutCommonSlots,
    right: bench => {
      const { t, dev } = bench;
      bench.withPages(PAGE_SIZE, address => {
        bench.fill(address, 80);
        withFullPool(bench, () => {
          const { events } = t.machine.hardware;
          const before = events.now;
          const lines = bench.logged(() => {
            const dma = dmaMapSingle(dev, address, SIZE, ToDevice);
            t.equal(dma, DMA_MAPPING_ERROR, 'a mapping without a slot');
            dmaMappingError(dev, dma);
          });
          t.equal(events.now, before, 'the time that is waited');
          t.ok(
            lines.some(line => line.includes('swiotlb buffer is full')),
            'the log to say so',
          );
        });
        dmaUnmapSingle(dev, bench.map(address, SIZE, ToDevice), SIZE, ToDevice);
      });
    },
  }),
  dmaRule({
    number: 81,
    name: 'caches_are_maintained_before_data_is_copied_out_and_after_it_is_copied_in',
    unfit: withoutBounce,
    right: bench => {
      bench.withMapping(Bidirectional, (address, dma) => {
        for (const seed of [81, 83]) {
          bench.deviceWrites(dma, seed);
          dmaSyncSingleForCpu(bench.dev, dma, SIZE, Bidirectional);
          bench.cpuFinds(address, seed);
          bench.fill(address, seed + 1);
          dmaSyncSingleForDevice(bench.dev, dma, SIZE, Bidirectional);
          bench.deviceFinds(dma, seed + 1);
        }
        dmaUnmapSingle(bench.dev, dma, SIZE, Bidirectional);
      });
    },
  }),
];
