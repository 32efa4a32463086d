import type { Device } from '../../drivers/base/kernel/device';
import { ENXIO } from '../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { patternByte } from '../../drivers/misc/test-master/regs';
import type { Machine } from '../../machines/machine';
import {
  DmaAttr,
  DmaDirection,
  dmaAllocNoncontiguous,
  dmaFreeNoncontiguous,
  dmaMmapNoncontiguous,
  dmaSyncSgtableForCpu,
  dmaSyncSgtableForDevice,
  dmaVmapNoncontiguous,
  dmaVunmapNoncontiguous,
} from '../../mm/dma-mapping-common';
import { pfnToPage } from '../../mm/page-alloc';
import type { SgTable } from '../../mm/scatterlist';
import { deviceReads, deviceWrites, differing, fill, onEveryMaster } from './dma-support';
import type { CaseContext, Suite } from './suite';
import { withoutMmu } from './support';

/*
 * Memory of a device's own that need not be contiguous, as video drivers have it for their frames:
 * one run of addresses for the device, pieces for the CPU, cached, and handed back and forth by sync.
 */

const { Bidirectional } = DmaDirection;

const PAGES = 3;
const SIZE = PAGES * PAGE_SIZE;
/** What is moved: some lines around the end of the first page. */
const MOVED = 512;
const FIRST = PAGE_SIZE - MOVED / 2;
const ROUNDS = 3;
/** What is looked at of each page's begin and end. */
const EDGE = 64;
/** Of user mode: in the lower half everywhere. */
const USER = 0x40_0000;

/** The memory, given back when the body is done. */
const withFrame = (
  t: CaseContext,
  dev: Device,
  body: (table: SgTable, dma: DmaAddr) => void,
  attrs: number = DmaAttr.None,
): void => {
  const given = dmaAllocNoncontiguous(dev, SIZE, Bidirectional, GFP_KERNEL, attrs);
  const table = t.need(given, `${SIZE} bytes`);
  t.equal(table.nents, 1, 'the segments that the device sees');
  const { dmaAddress } = t.need(table.sgl[0], 'a segment');
  body(table, dmaAddress);
  dmaFreeNoncontiguous(dev, SIZE, table, Bidirectional);
};

/** Where the CPU has all of it in one piece, for the length of the body. */
const withVmap = (
  t: CaseContext,
  dev: Device,
  table: SgTable,
  body: (address: CpuAddr) => void,
): void => {
  const address = t.need(dmaVmapNoncontiguous(dev, SIZE, table), 'an address');
  body(address);
  dmaVunmapNoncontiguous(dev, address);
};

/** How many of some bytes are not those of the pattern that begins `from` bytes before. */
const wrongFrom = (
  t: CaseContext,
  address: CpuAddr,
  seed: number,
  from: number,
  bytes: number,
): number => {
  const { cpu } = t.machine.kernel;
  let wrong = 0;
  for (let i = 0; i < bytes; i++) {
    if (cpu.load8(address + i) !== patternByte(seed, from + i)) wrong++;
  }
  return wrong;
};

/** Every page of the pieces begins and ends with its part of one pattern. */
const checkPieces = (t: CaseContext, { sgl, origNents }: SgTable, seed: number): void => {
  let at = 0;
  for (const { page, offset, length } of sgl.slice(0, origNents)) {
    for (let done = 0; done < length; done += PAGE_SIZE, at += PAGE_SIZE) {
      t.machine.kernel.mm.kmap.with(pfnToPage(page + (offset + done) / PAGE_SIZE), address => {
        const last = PAGE_SIZE - EDGE;
        const wrong =
          wrongFrom(t, address, seed, at, EDGE) +
          wrongFrom(t, offsetBy(address, last), seed, at + last, EDGE);
        t.equal(wrong, 0, `the wrong bytes of the page at ${at}`);
      });
    }
  }
  t.equal(at, SIZE, 'the bytes of all pieces');
};

const pieces = onEveryMaster('the_device_sees_one_piece_where_the_cpu_has_several', (t, master) => {
  const { device } = master;
  const { dev } = device;
  for (const attrs of [DmaAttr.None, DmaAttr.AllocSinglePages]) {
    withFrame(
      t,
      dev,
      (table, dma) => {
        dmaSyncSgtableForDevice(dev, table, Bidirectional);
        t.equal(device.writePattern(dma, SIZE, 1 + attrs), 0, 'the result of writing');
        dmaSyncSgtableForCpu(dev, table, Bidirectional);
        checkPieces(t, table, 1 + attrs);
      },
      attrs,
    );
  }
});

const vmapped = onEveryMaster(
  'the_cpu_has_it_in_one_piece_by_vmap',
  (t, master) => {
    const { dev } = master.device;
    const { services } = dev;
    withFrame(t, dev, (table, dma) => {
      withVmap(t, dev, table, address => {
        const [cpuAt, dmaAt] = [offsetBy(address, FIRST), offsetBy(dma, FIRST)];
        for (let round = 0; round < ROUNDS; round++) {
          fill(t, cpuAt, MOVED, round);
          services.flushKernelVmapRange(address, SIZE);
          dmaSyncSgtableForDevice(dev, table, Bidirectional);
          deviceReads(t, master, dmaAt, MOVED, round);
          deviceWrites(t, master, dmaAt, MOVED, round + 9);
          dmaSyncSgtableForCpu(dev, table, Bidirectional);
          services.invalidateKernelVmapRange(address, SIZE);
          t.equal(differing(t, cpuAt, MOVED, round + 9), 0, 'the wrong bytes');
        }
      });
    });
  },
  { machine: withoutMmu },
);

const wordOf = (seed: number, at: number): number => {
  const [a = 0, b = 0, c = 0, d = 0] = [0, 1, 2, 3].map(i => patternByte(seed, at + i));
  return a | (b << 8) | (c << 16) | (d << 24) | 0;
};

/** User mode writes and finds words around the end of the first page. */
const userMode = (
  t: CaseContext,
  dev: Device,
  table: SgTable,
  body: (user: { fill(seed: number): void; finds(seed: number): void }) => void,
): void => {
  const { users, cpu } = t.machine.kernel;
  const space = users.create();
  const vma = users.vma(space, USER, SIZE);
  t.equal(dmaMmapNoncontiguous(dev, vma, SIZE, table), 0, 'the result of mapping it');
  users.switchTo(space);
  body({
    fill: seed => {
      for (let at = 0; at < MOVED; at += 4) cpu.storeUser32(USER + FIRST + at, wordOf(seed, at));
    },
    finds: seed => {
      let wrong = 0;
      for (let at = 0; at < MOVED; at += 4) {
        if (cpu.loadUser32(USER + FIRST + at) !== wordOf(seed, at)) wrong++;
      }
      t.equal(wrong, 0, 'the wrong words in user mode');
    },
  });
  for (const at of [...space.pages.keys()]) users.unmapPage(space, at);
  users.switchToKernel();
  users.destroy(space);
};

/** Where caches go by virtual addresses, who maps memory twice flushes more than the DMA API does. */
const hasAliases = ({ kernel: { mm } }: Machine): string | null =>
  mm.info.isVivt || mm.info.isAliasing ? 'user mode has it in other lines of the cache' : null;

const userMapped = onEveryMaster(
  'user_mode_has_it_by_mmap',
  (t, master) => {
    const { dev } = master.device;
    withFrame(t, dev, (table, dma) => {
      userMode(t, dev, table, user => {
        for (let round = 0; round < ROUNDS; round++) {
          user.fill(round);
          dmaSyncSgtableForDevice(dev, table, Bidirectional);
          deviceReads(t, master, offsetBy(dma, FIRST), MOVED, round);
          deviceWrites(t, master, offsetBy(dma, FIRST), MOVED, round + 9);
          dmaSyncSgtableForCpu(dev, table, Bidirectional);
          user.finds(round + 9);
        }
      });
    });
  },
  { machine: machine => withoutMmu(machine) ?? hasAliases(machine) },
);

const beyond = onEveryMaster(
  'no_more_is_mapped_to_user_mode_than_there_is',
  (t, { device: { dev } }) => {
    const { users } = t.machine.kernel;
    withFrame(t, dev, table => {
      const space = users.create();
      for (const [pages, pgoff] of [
        [PAGES + 1, 0],
        [PAGES, 1],
        [1, PAGES],
      ] as const) {
        const vma = users.vma(space, USER, pages * PAGE_SIZE, pgoff);
        const result = dmaMmapNoncontiguous(dev, vma, SIZE, table);
        t.equal(result, -ENXIO, `the result of mapping ${pages} pages from page ${pgoff} on`);
      }
      t.equal(space.pages.size, 0, 'the pages that are mapped');
      users.destroy(space);
    });
  },
  { machine: withoutMmu },
);

export const dmaNoncontiguousSuite: Suite = {
  name: 'dma-noncontiguous',
  summary: 'memory that is one piece to a device only, by vmap and in user mode',
  cases: [pieces, vmapped, userMapped, beyond],
};
