import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from '../rules/conditions';
import type { Bug } from './bug';
import { offence } from './visibility';

const { ToDevice } = DmaDirection;
const MAD_SIZE = 256;
const HEADER = 24;
const SEED = 1;

/** ib_send_mad: the header got its transaction id when the buffer was mapped already. */
const buggy = (bench: DriverBench): number => {
  const { dev, device } = bench;
  const mad = bench.kmalloc(MAD_SIZE);
  bench.fill(mad, MAD_SIZE, SEED);
  bench.fill(mad, HEADER, SEED + 1);
  const dma = bench.mapped(dmaMapSingle(dev, mad, MAD_SIZE, ToDevice));
  bench.fill(mad, HEADER, SEED);
  const { mismatches } = device.checkPattern(dma, MAD_SIZE, SEED);
  dmaUnmapSingle(dev, dma, MAD_SIZE, ToDevice);
  bench.kfree(mad);
  return mismatches;
};

/** The header is filled in first, and nobody touches the buffer once it is mapped. */
const fixed = (bench: DriverBench): number => {
  const { dev, device } = bench;
  const mad = bench.kmalloc(MAD_SIZE);
  bench.fill(mad, MAD_SIZE, SEED);
  const dma = bench.mapped(dmaMapSingle(dev, mad, MAD_SIZE, ToDevice));
  const { mismatches } = device.checkPattern(dma, MAD_SIZE, SEED);
  dmaUnmapSingle(dev, dma, MAD_SIZE, ToDevice);
  bench.kfree(mad);
  return mismatches;
};

export const bug: Bug = {
  name: 'ib_mad_header_is_written_after_mapping',
  title: 'IB: a buffer is filled in after it was mapped',
  source: '34816ad98efe',
  rules: ['cpu-access-to-device-buffer', 'stale-device-read'],
  unfit: anywhere,
  shows: offence,
  buggy,
  fixed,
};
