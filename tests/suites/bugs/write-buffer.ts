import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { DmaAttr, DmaDirection, dmaMapPage } from '../../../mm/dma-mapping-common';
import { dmaUnmapPage } from '../../../mm/dma-mapping-common';
import { aliasIsHarmless } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { all, buffersStores, hasMmu } from '../rules/conditions';
import type { Bug } from './bug';
import { flush } from './maintenance';
import { exposedIf, isV5 } from './visibility';

const { ToDevice } = DmaDirection;
const { SkipCpuSync } = DmaAttr;
const SIZE = 16;

/** A command in bufferable memory (pgprot_writecombine), and a writel() to start it. */
const submit = (bench: DriverBench, drains: boolean): number => {
  const { dev, device, kernel } = bench;
  const page = bench.allocPages();
  flush(bench, bench.addressOf(page), PAGE_SIZE);
  const commands = bench.vmap(page, 'writecombine');
  const dma = bench.mapped(dmaMapPage(dev, page, 0, PAGE_SIZE, ToDevice, SkipCpuSync));
  let wrong = 0;
  for (let round = 0; round < 4; round++) {
    bench.storeWords(commands, SIZE, round);
    if (drains) kernel.mm.barriers.wmb();
    wrong += device.checkPattern(dma, SIZE, round).mismatches;
  }
  dmaUnmapPage(dev, dma, PAGE_SIZE, ToDevice, SkipCpuSync);
  bench.vunmap(commands);
  bench.freePages(page);
  return wrong;
};

export const bug: Bug = {
  name: 'the_write_buffer_is_not_drained_before_the_device_starts',
  title: 'ARMv5: write-combined commands, and a writel() that orders nothing',
  source: 'asm/io.h before ARM_DMA_MEM_BUFFERABLE',
  rules: ['missing-write-barrier'],
  provisional: ['stale-device-read'],
  masters: 'non-coherent',
  unfit: all(hasMmu, buffersStores, machine =>
    aliasIsHarmless(machine) ? null : 'the cacheable alias of the commands is another bug',
  ),
  /** From ARMv6 on writel() has the barrier in it. */
  shows: exposedIf(isV5),
  buggy: bench => submit(bench, false),
  fixed: bench => submit(bench, true),
};
