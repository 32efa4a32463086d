import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import { byteAt } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';
import { wherever } from './visibility';

const { FromDevice } = DmaDirection;
/** sizeof(struct mutex), as far as it matters. */
const MUTEX = 8;

/** struct powerz_priv { char transfer_buffer[]; struct mutex mutex; }: somebody waits meanwhile. */
const read = (bench: DriverBench, offsetOfMutex: number): number => {
  const { cpu, dev, device } = bench;
  const size = bench.line - MUTEX;
  const priv = bench.kmalloc(offsetOfMutex + MUTEX);
  const mutex = byteAt(priv, offsetOfMutex);
  cpu.store32(mutex, 1);
  const dma = bench.mapped(dmaMapSingle(dev, priv, size, FromDevice));
  cpu.store32(mutex, cpu.load32(mutex) + 1);
  device.startWrite(dma, size, 101);
  cpu.store32(mutex, cpu.load32(mutex) + 1);
  device.finish();
  dmaUnmapSingle(dev, dma, size, FromDevice);
  const wrong = bench.wrongBytes(priv, size, 101);
  bench.kfree(priv);
  return wrong;
};

export const bug: Bug = {
  name: 'powerz_mutex_shares_a_line_with_the_buffer',
  title: 'hwmon: powerz: a transfer buffer in one cache line with a mutex',
  source: '3023c050af36',
  rules: ['shared-line'],
  consequences: [
    'cpu-access-in-transfer',
    'dirty-line-over-device-data',
    'invalidate-of-dirty-bytes',
    'lost-cpu-write',
    'lost-device-write',
    'stale-cpu-read',
  ],
  unfit: hasCache,
  shows: wherever,
  buggy: bench => read(bench, bench.line - MUTEX),
  fixed: bench => read(bench, 128),
};
