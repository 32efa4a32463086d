import { CacheOp } from '../../../drivers/base/types/isa';
import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { byteAt } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { hasCache } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const HEADER = 8;

/** A maintenance loop of the driver's own, from the start of the first line: what is before, goes. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, dev, line } = bench;
  const priv = bench.kmalloc(4 * line);
  const size = 4 * line - HEADER;
  bench.fill(priv, HEADER, 1);
  const dma = bench.mapped(
    dmaMapSingle(dev, byteAt(priv, HEADER), size, FromDevice, DmaAttr.SkipCpuSync),
  );
  for (let at = 0; at < 4 * line; at += line) cpu.cacheOp(CacheOp.IVAC, priv + at);
  cpu.dsb();
  dmaUnmapSingle(dev, dma, size, FromDevice, DmaAttr.SkipCpuSync);
  bench.kfree(priv);
};

/** A line that is not the buffer's alone is cleaned before it goes. */
export const right = (bench: DriverBench): void => {
  const { cpu, dev, line } = bench;
  const priv = bench.kmalloc(4 * line);
  const size = 4 * line - HEADER;
  bench.fill(priv, HEADER, 1);
  const dma = bench.mapped(
    dmaMapSingle(dev, byteAt(priv, HEADER), size, FromDevice, DmaAttr.SkipCpuSync),
  );
  cpu.cacheOp(CacheOp.CIVAC, priv);
  for (let at = line; at < 4 * line; at += line) cpu.cacheOp(CacheOp.IVAC, priv + at);
  cpu.dsb();
  dmaUnmapSingle(dev, dma, size, FromDevice, DmaAttr.SkipCpuSync);
  bench.kfree(priv);
};

export const example: RuleExample = {
  rule: 'invalidate-of-dirty-bytes',
  applies: hasCache,
  wrong,
  right,
};
