import {
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';
import { exposedIf, isV8 } from './visibility';

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;
const SIZE = 256;
const ETNA_PREP_READ = 1;
const ETNA_PREP_WRITE = 2;

type Direction = typeof Bidirectional | typeof FromDevice | typeof ToDevice;

/** etnaviv_op_to_dma_dir as it was: whoever reads, never writes. */
const oldDirection = (op: number): Direction => (op === ETNA_PREP_WRITE ? ToDevice : FromDevice);

const newDirection = (op: number): Direction => {
  if (op === ETNA_PREP_READ) return FromDevice;
  return op === ETNA_PREP_WRITE ? ToDevice : Bidirectional;
};

/** The CPU prepares a buffer object to be read and written, writes it, and the GPU reads it. */
const update = (bench: DriverBench, directionOf: (op: number) => Direction): number => {
  const { dev, device } = bench;
  const direction = directionOf(ETNA_PREP_READ + ETNA_PREP_WRITE);
  const object = bench.kmalloc(SIZE);
  bench.fill(object, SIZE, 91);
  const dma = bench.mapped(dmaMapSingle(dev, object, SIZE, Bidirectional));
  dmaSyncSingleForCpu(dev, dma, SIZE, direction);
  bench.fill(object, SIZE, 92);
  dmaSyncSingleForDevice(dev, dma, SIZE, direction);
  const { mismatches } = device.checkPattern(dma, SIZE, 92);
  dmaUnmapSingle(dev, dma, SIZE, Bidirectional);
  bench.kfree(object);
  return mismatches;
};

export const bug: Bug = {
  name: 'etnaviv_read_and_write_is_synced_as_read',
  title: 'drm/etnaviv: a buffer that the CPU reads and writes is synced FROM_DEVICE',
  source: '58979ad6330a',
  rules: ['lost-cpu-write', 'stale-device-read'],
  consequences: ['stale-cpu-read'],
  unfit: hasCache,
  /** arm64 cleans for the device whatever the direction. */
  shows: exposedIf(bench => !isV8(bench)),
  buggy: bench => update(bench, oldDirection),
  fixed: bench => update(bench, newDirection),
};
