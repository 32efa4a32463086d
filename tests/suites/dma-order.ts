import type { Page } from '../../drivers/base/kernel/dma-mapping';
import type { CpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { patternByte } from '../../drivers/misc/test-master/regs';
import type { BoundMaster, Machine } from '../../machines/machine';
import {
  DmaAttr,
  DmaDirection,
  dmaMapPage,
  dmaMappingError,
  dmaUnmapPage,
} from '../../mm/dma-mapping-common';
import { dmaCapable, physToDma } from '../../mm/dma-direct';
import { GFP_HIGHUSER } from '../../drivers/base/kernel/gfp';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { pageToPhys } from '../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../mm/pgprot';
import { bounceOf, deviceReads, deviceWrites, differing, onEveryMaster } from './dma-support';
import type { CaseContext } from './suite';
import { withPage, withoutMmu } from './support';

/*
 * Memory that CPU and device share without maintenance, as a descriptor ring is: all that orders
 * their accesses is the barrier inside writel() and readl() (core-api/dma-api-howto.rst).
 */

const ROUNDS = 64;
/** The stores of a round fit a store buffer: none must leave to make room for another. */
const WORDS = 4;
const SIZE = 4 * WORDS;

/**
 * A page as pgprot_dmacoherent maps it, with no line of it in any cache. It is flushed at its
 * cached address, where an aliasing cache has its lines, and again at the new one: between the
 * first flush and the end of a temporary mapping, lines may have come back.
 */
const withUncached = (t: CaseContext, page: Page, body: (address: CpuAddr) => void): void => {
  const { mm, mappings } = t.machine.kernel;
  mm.kmap.with(page, address => {
    mm.cache.dmaFlushRange(address, PAGE_SIZE);
  });
  const prot = withMemory(PAGE_KERNEL, 'dmacoherent');
  const address = t.need(mappings.vmap([page], prot), 'vmalloc space');
  mm.cache.dmaFlushRange(address, PAGE_SIZE);
  mm.outer.flushRange(pageToPhys(page), PAGE_SIZE);
  try {
    body(address);
  } finally {
    mappings.vunmap(address);
  }
};

const storePattern = (t: CaseContext, address: CpuAddr, seed: number): void => {
  const { cpu } = t.machine.kernel;
  for (let at = 0; at < SIZE; at += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map(i => patternByte(seed, at + i));
    cpu.store32(address + at, (a ?? 0) | ((b ?? 0) << 8) | ((c ?? 0) << 16) | ((d ?? 0) << 24) | 0);
  }
};

/** The page as the device sees it; syncing is the caller's part, and there is none to do. */
const withMapping = (
  t: CaseContext,
  { device: { dev } }: BoundMaster,
  page: Page,
  direction: DmaDirection,
  body: (address: ReturnType<typeof dmaMapPage>) => void,
): void => {
  const address = dmaMapPage(dev, page, 0, PAGE_SIZE, direction, DmaAttr.SkipCpuSync);
  t.equal(dmaMappingError(dev, address), 0, 'dmaMappingError of a page');
  body(address);
  dmaUnmapPage(dev, address, PAGE_SIZE, direction, DmaAttr.SkipCpuSync);
};

/** Data that takes a detour is nowhere that both sides could write to at once. */
const withDetour = (t: CaseContext, { device }: BoundMaster, gfp: Gfp): string | null => {
  const bounce = bounceOf(t.machine, device.dev, gfp);
  return bounce === null ? null : `what the device moves is bounced: ${bounce}`;
};

/** A device that snoops gets ordinary memory, as dma_alloc_coherent() would give it. */
export const doorbell = onEveryMaster(
  'what_is_stored_before_the_doorbell_is_there_when_it_rings',
  (t, master, gfp) => {
    withPage(
      t,
      (linear, page) => {
        const exchange = (address: CpuAddr): void => {
          withMapping(t, master, page, DmaDirection.ToDevice, bus => {
            for (let round = 0; round < ROUNDS; round++) {
              storePattern(t, address, round);
              deviceReads(t, master, bus, SIZE, round);
            }
          });
        };
        if (master.device.dev.dma.coherent) exchange(linear);
        else withUncached(t, page, exchange);
      },
      0,
      gfp,
    );
  },
  { machine: withoutMmu, master: withDetour },
);

/**
 * A page that is to be reached without caching only. In highmem nothing may bring a line of it
 * back; on ARMv8 clean lines under the linear map are harmless, as a non-cacheable access ignores
 * them: arm64 keeps such an alias of all coherent memory.
 */
const uncachedPageFor = (machine: Machine, gfp: Gfp): Gfp =>
  machine.kernel.mm.info.type === 'v8' ? gfp : GFP_HIGHUSER;

const withoutUncachedPages = ({ kernel: { mm } }: Machine): string | null =>
  mm.info.type === 'v8' || mm.pages.hasHighmem
    ? null
    : 'every page has a cacheable mapping: no highmem, and not ARMv8';

export const dataAfterStatus = onEveryMaster(
  'what_the_device_wrote_is_read_after_its_status',
  (t, master, gfp) => {
    const { pages } = t.machine.kernel.mm;
    const { dev } = master.device;
    const page = t.need(pages.allocPages(uncachedPageFor(t.machine, gfp), 0), 'a page');
    const isReached = dmaCapable(dev, physToDma(dev, pageToPhys(page)), PAGE_SIZE);
    if (isReached && !dev.dma.coherent) {
      withUncached(t, page, address => {
        withMapping(t, master, page, DmaDirection.FromDevice, bus => {
          for (let round = 0; round < ROUNDS; round++) {
            deviceWrites(t, master, bus, SIZE, round);
            t.equal(differing(t, address, SIZE, round), 0, `the wrong bytes of round ${round}`);
          }
        });
      });
    }
    pages.freePagesAt(page, 0);
  },
  { machine: withoutUncachedPages, master: withDetour },
);
