import { EIO, ETIMEDOUT } from '../../drivers/base/kernel/errno';
import { offsetBy, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  DMA_MAPPING_ERROR,
  DmaDirection,
  dmaBitMask,
  dmaGetMask,
  dmaGetRequiredMask,
  dmaMapPage,
  dmaMapSingle,
  dmaMappingError,
  dmaSetMask,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaSyncSingleRangeForCpu,
  dmaUnmapPage,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { physToDma, dmaCapable } from '../../mm/dma-direct';
import { GFP_HIGHUSER } from '../../drivers/base/kernel/gfp';
import { pageToPhys, physToPage } from '../../mm/page-alloc';
import { COPY_ENGINE_CASES } from './dma-copy';
import { dataAfterStatus, doorbell } from './dma-order';
import {
  ROUNDS,
  deviceReads,
  deviceWrites,
  differing,
  fill,
  mapped,
  onEveryMaster,
  sizesFor,
} from './dma-support';
import type { BoundMaster } from '../../machines/machine';
import type { Case, Suite } from './suite';
import { withBuffer, withDmaBuffer, withPage, withoutMmu } from './support';

const toDevice = onEveryMaster('what_the_cpu_wrote_is_what_the_device_reads', (t, master, gfp) => {
  const { dev } = master.device;
  const sizes = sizesFor(t.machine, dev);
  for (let round = 0; round < ROUNDS; round++) {
    const size = sizes[round % sizes.length] ?? PAGE_SIZE;
    withDmaBuffer(t, size, gfp, buffer => {
      fill(t, buffer, size, round);
      const address = mapped(t, dev, buffer, size, DmaDirection.ToDevice);
      deviceReads(t, master, address, size, round);
      dmaUnmapSingle(dev, address, size, DmaDirection.ToDevice);
    });
  }
});

const fromDevice = onEveryMaster(
  'what_the_device_wrote_is_what_the_cpu_reads',
  (t, master, gfp) => {
    const { dev } = master.device;
    const sizes = sizesFor(t.machine, dev);
    for (let round = 0; round < ROUNDS; round++) {
      const size = sizes[round % sizes.length] ?? PAGE_SIZE;
      withDmaBuffer(t, size, gfp, buffer => {
        fill(t, buffer, size, round + 100);
        const address = mapped(t, dev, buffer, size, DmaDirection.FromDevice);
        deviceWrites(t, master, address, size, round);
        dmaUnmapSingle(dev, address, size, DmaDirection.FromDevice);
        t.equal(differing(t, buffer, size, round), 0, `the wrong bytes of ${size}`);
      });
    }
  },
);

const bidirectional = onEveryMaster('bidirectional_mappings_work_both_ways', (t, master, gfp) => {
  const { dev } = master.device;
  const sizes = sizesFor(t.machine, dev);
  for (let round = 0; round < ROUNDS; round++) {
    const size = sizes[round % sizes.length] ?? PAGE_SIZE;
    withDmaBuffer(t, size, gfp, buffer => {
      fill(t, buffer, size, round);
      const address = mapped(t, dev, buffer, size, DmaDirection.Bidirectional);
      deviceReads(t, master, address, size, round);
      deviceWrites(t, master, address, size, round + 1);
      dmaUnmapSingle(dev, address, size, DmaDirection.Bidirectional);
      t.equal(differing(t, buffer, size, round + 1), 0, `the wrong bytes of ${size}`);
    });
  }
});

/** A mapping that lives on, handed back and forth, as a receive ring does. */
const recycled = onEveryMaster('a_recycled_buffer_is_synced_both_ways', (t, master, gfp) => {
  const { dev } = master.device;
  const size = 1024;
  withDmaBuffer(t, size, gfp, buffer => {
    const address = mapped(t, dev, buffer, size, DmaDirection.FromDevice);
    for (let round = 0; round < ROUNDS; round++) {
      deviceWrites(t, master, address, size, round);
      dmaSyncSingleForCpu(dev, address, size, DmaDirection.FromDevice);
      t.equal(differing(t, buffer, size, round), 0, `the wrong bytes in round ${round}`);
      dmaSyncSingleForDevice(dev, address, size, DmaDirection.FromDevice);
    }
    dmaUnmapSingle(dev, address, size, DmaDirection.FromDevice);
  });
});

const transmitted = onEveryMaster(
  'a_rewritten_buffer_is_synced_to_the_device',
  (t, master, gfp) => {
    const { dev } = master.device;
    const size = 512;
    withDmaBuffer(t, size, gfp, buffer => {
      fill(t, buffer, size, 0);
      const address = mapped(t, dev, buffer, size, DmaDirection.ToDevice);
      for (let round = 0; round < ROUNDS; round++) {
        deviceReads(t, master, address, size, round);
        dmaSyncSingleForCpu(dev, address, size, DmaDirection.ToDevice);
        fill(t, buffer, size, round + 1);
        dmaSyncSingleForDevice(dev, address, size, DmaDirection.ToDevice);
      }
      dmaUnmapSingle(dev, address, size, DmaDirection.ToDevice);
    });
  },
);

const shortPacket = onEveryMaster('a_short_packet_leaves_the_rest_as_it_was', (t, master, gfp) => {
  const { dev } = master.device;
  const size = 1024;
  for (let round = 0; round < ROUNDS; round++) {
    const received = 64 * (1 + t.random.below(8));
    withDmaBuffer(t, size, gfp, buffer => {
      const address = mapped(t, dev, buffer, size, DmaDirection.FromDevice);
      deviceWrites(t, master, address, received, round);
      dmaSyncSingleRangeForCpu(dev, address, 0, received, DmaDirection.FromDevice);
      t.equal(differing(t, buffer, received, round), 0, `the wrong bytes of ${received}`);
      dmaUnmapSingle(dev, address, size, DmaDirection.FromDevice);
    });
  }
});

const recycledPages = onEveryMaster(
  'a_page_that_was_written_by_the_cpu_before_serves_the_device',
  (t, master, gfp) => {
    const { dev } = master.device;
    for (let round = 0; round < ROUNDS; round++) {
      // The allocator gives the page again that was dirtied and freed a moment ago.
      withPage(
        t,
        address => {
          fill(t, address, PAGE_SIZE, round + 50);
        },
        0,
        gfp,
      );
      withPage(
        t,
        (buffer, page) => {
          const address = dmaMapPage(dev, page, 0, PAGE_SIZE, DmaDirection.FromDevice);
          t.equal(dmaMappingError(dev, address), 0, 'dmaMappingError of a page');
          deviceWrites(t, master, address, PAGE_SIZE, round);
          dmaUnmapPage(dev, address, PAGE_SIZE, DmaDirection.FromDevice);
          t.equal(differing(t, buffer, PAGE_SIZE, round), 0, 'the wrong bytes of a page');
        },
        0,
        gfp,
      );
    }
  },
);

const neighbours = onEveryMaster('a_mapping_leaves_its_neighbours_alone', (t, master, gfp) => {
  const { dev } = master.device;
  const { minAlign } = t.machine.kernel.arch;
  withPage(
    t,
    page => {
      for (let round = 0; round < ROUNDS; round++) {
        const size = minAlign * (1 + t.random.below(4));
        const start = offsetBy(page, minAlign * (1 + t.random.below(8)));
        const before = offsetBy(start, -minAlign);
        const after = offsetBy(start, size);
        fill(t, before, minAlign, round + 20);
        const address = mapped(t, dev, start, size, DmaDirection.FromDevice);
        deviceWrites(t, master, address, size, round);
        fill(t, after, minAlign, round + 30);
        dmaUnmapSingle(dev, address, size, DmaDirection.FromDevice);
        t.equal(differing(t, start, size, round), 0, 'the wrong bytes of the buffer');
        t.equal(differing(t, before, minAlign, round + 20), 0, 'the wrong bytes before it');
        t.equal(differing(t, after, minAlign, round + 30), 0, 'the wrong bytes after it');
      }
    },
    0,
    gfp,
  );
});

const highmem: Case = {
  name: 'highmem_pages_are_mapped_with_dma_map_page',
  unfit: machine => (machine.kernel.mm.pages.hasHighmem ? null : 'no highmem'),
  run: t => {
    const { mm } = t.machine.kernel;
    let used = 0;
    for (const master of t.machine.masters) {
      const { dev } = master.device;
      const page = t.need(mm.pages.allocPages(GFP_HIGHUSER, 0), 'a highmem page');
      if (
        mm.pages.isHighmem(page) &&
        dmaCapable(dev, physToDma(dev, pageToPhys(page)), PAGE_SIZE)
      ) {
        used++;
        for (let round = 0; round < ROUNDS; round++) {
          const address = dmaMapPage(dev, page, 256, 512, DmaDirection.FromDevice);
          t.equal(dmaMappingError(dev, address), 0, 'dmaMappingError of a highmem page');
          deviceWrites(t, master, address, 512, round);
          dmaUnmapPage(dev, address, 512, DmaDirection.FromDevice);
          mm.kmap.with(page, at => {
            t.equal(differing(t, offsetBy(at, 256), 512, round), 0, 'the wrong bytes');
            fill(t, at, PAGE_SIZE, round + 9);
          });
        }
      }
      mm.pages.freePagesAt(page, 0);
    }
    if (used === 0) t.skip('no master reaches highmem');
  },
};

const refused: Case = {
  name: 'memory_that_is_not_in_the_linear_map_is_refused',
  unfit: withoutMmu,
  run: t => {
    const { mappings } = t.machine.kernel;
    const address = t.need(mappings.vmalloc(PAGE_SIZE), 'vmalloc memory');
    for (const { device } of t.machine.masters) {
      const mapping = dmaMapSingle(device.dev, address, 64, DmaDirection.ToDevice);
      t.equal(mapping, DMA_MAPPING_ERROR, 'a mapping of vmalloc memory');
      t.ok(dmaMappingError(device.dev, mapping) < 0, 'dmaMappingError to be negative');
    }
    const others = t.takeFindings().filter(rule => rule !== 'dma-debug');
    t.equal(others.length, 0, 'the findings beside the message that the kernel prints for it');
    mappings.vfree(address);
  },
};

/** A mask that reaches no memory, but any address behind an IOMMU. */
const NARROW = 0xfff;
const heedsMask = ({ device: { dev } }: BoundMaster): boolean =>
  dev.dma.ops?.dmaSupported(dev, NARROW) !== true;

const unreachable: Case = {
  name: 'memory_beyond_the_mask_is_refused',
  unfit: ({ masters }) => (masters.some(heedsMask) ? null : 'any mask is taken'),
  run: t => {
    const master = t.machine.masters.find(heedsMask);
    const { dev } = t.need(master, 'a master').device;
    const narrow = NARROW;
    const before = dmaGetMask(dev);
    t.equal(dmaSetMask(dev, narrow), -EIO, 'dmaSetMask of 12 bits');
    t.equal(dmaGetMask(dev), before, 'the mask after a refusal');
    t.equal(dmaSetMask(dev, dmaBitMask(64)), 0, 'dmaSetMask of 64 bits');
    const mask = dmaGetMask(dev);
    t.ok(dmaGetRequiredMask(dev) > 0, 'a required mask');
    t.equal(dmaGetMask(dev), mask, 'the mask after asking for the required one');
    withBuffer(t, 64, buffer => {
      const limit = dev.dma.mask;
      dev.dma.mask = narrow;
      t.equal(
        dmaMapSingle(dev, buffer, 64, DmaDirection.ToDevice),
        DMA_MAPPING_ERROR,
        'a mapping beyond the mask',
      );
      dev.dma.mask = limit;
    });
  },
};

const windows: Case = {
  name: 'bus_addresses_follow_the_windows_of_the_bus',
  unfit: machine =>
    machine.masters.some(({ device }) => device.dev.dma.rangeMap !== null) ? null : 'no dma-ranges',
  run: t => {
    for (const { device } of t.machine.masters) {
      const { dev } = device;
      for (const { dma, cpu, size } of dev.dma.rangeMap ?? []) {
        t.equal(physToDma(dev, cpu), dma, 'the bus address of the start of a window');
        const last = offsetBy(cpu, size - 1);
        t.equal(physToDma(dev, last), dma + size - 1, 'the bus address of its end');
      }
    }
    t.ok(physToPage(physAddr(0)) === 0, 'page 0 to be page 0');
  },
};

/** It is asked nothing, and never done. */
const givenUp: Case = {
  name: 'a_device_that_never_ends_is_given_up',
  run: t => {
    const { device } = t.need(t.machine.masters[0], 'a master');
    t.equal(device.finish(), -ETIMEDOUT, 'the result of waiting');
  },
};

export const dmaStreamingSuite: Suite = {
  name: 'dma-streaming',
  summary: 'the streaming DMA API with every kind of master that the board has',
  cases: [
    toDevice,
    fromDevice,
    bidirectional,
    recycled,
    transmitted,
    shortPacket,
    recycledPages,
    neighbours,
    highmem,
    refused,
    unreachable,
    windows,
    ...COPY_ENGINE_CASES,
    givenUp,
    doorbell,
    dataAfterStatus,
  ],
};
