import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { CpuAddr } from '../../../drivers/base/types/address';
import type { DriverBench } from '../driver-bench';
import { hasOuter } from '../rules/conditions';
import type { Bug } from './bug';
import { clean, cleanOuterFirst, invalidate, invalidateInnerFirst } from './maintenance';
import { exposedIf, speculates, wherever } from './visibility';

/*
 * Two levels, two orders: cleaned from the inside out, invalidated from the outside in.
 */

const { FromDevice, ToDevice } = DmaDirection;
const { SkipCpuSync } = DmaAttr;
const SIZE = 256;

type Maintain = (bench: DriverBench, address: CpuAddr, size: number) => void;

const transmit = (bench: DriverBench, toDevice: Maintain): number => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 41);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice, SkipCpuSync));
  toDevice(bench, buffer, SIZE);
  const { mismatches } = device.checkPattern(dma, SIZE, 41);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice, SkipCpuSync);
  bench.kfree(buffer);
  return mismatches;
};

export const cleaned: Bug = {
  name: 'the_outer_cache_is_cleaned_before_the_inner',
  title: 'dma_cpu_to_dev in the wrong order: what L1 writes back stays in the PL310',
  source: 'arch/arm/mm/dma-mapping.c of 2.6.35',
  rules: ['stale-device-read'],
  consequences: ['missing-outer-sync'],
  masters: 'non-coherent',
  unfit: hasOuter,
  shows: wherever,
  buggy: bench => transmit(bench, cleanOuterFirst),
  fixed: bench => transmit(bench, clean),
};

const receive = (bench: DriverBench, toCpu: Maintain): number => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 41);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 42);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice, SkipCpuSync);
  toCpu(bench, buffer, SIZE);
  const wrong = bench.wrongBytes(buffer, SIZE, 42);
  bench.kfree(buffer);
  return wrong;
};

export const invalidated: Bug = {
  name: 'the_inner_cache_is_invalidated_before_the_outer',
  title: 'dma_dev_to_cpu in the wrong order: L1 is filled again from what is stale in the PL310',
  source: 'arch/arm/mm/dma-mapping.c of 2.6.35',
  rules: ['refill-after-invalidate', 'stale-cpu-read'],
  masters: 'non-coherent',
  unfit: hasOuter,
  shows: exposedIf(speculates),
  buggy: bench => receive(bench, invalidateInnerFirst),
  fixed: bench => receive(bench, invalidate),
};
