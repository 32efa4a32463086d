import type { CpuAddr } from '../../../drivers/base/types/address';
import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasMmu } from '../rules/conditions';
import type { Bug } from './bug';
import { busAddressOf } from './unchecked';

const { FromDevice } = DmaDirection;
const SIZE = 64;

/**
 * i2c_imx_dma_xfer: the message is mapped, whatever memory the caller has it in. Before
 * dma_map_single() refused vmalloc addresses, the device wrote to a page of somebody else's.
 */
const buggy = (bench: DriverBench): number => {
  const { dev, device } = bench;
  const message = bench.vmalloc(SIZE);
  const dma = dmaMapSingle(dev, message, SIZE, FromDevice);
  device.writePattern(busAddressOf(dma), SIZE, 151);
  const wrong = bench.wrongBytes(message, SIZE, 151);
  bench.vfree(message);
  return wrong;
};

/** i2c_get_dma_safe_msg_buf: a message that is not I2C_M_DMA_SAFE is received elsewhere. */
const fixed = (bench: DriverBench): number => {
  const { cpu, dev, device } = bench;
  const message = bench.vmalloc(SIZE);
  const safe: CpuAddr = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, safe, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 151);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  for (let at = 0; at < SIZE; at++) cpu.store8(message + at, cpu.load8(safe + at));
  const wrong = bench.wrongBytes(message, SIZE, 151);
  bench.kfree(safe);
  bench.vfree(message);
  return wrong;
};

export const bug: Bug = {
  name: 'i2c_imx_message_is_vmalloc_memory',
  title: 'i2c-imx: a message in vmalloc memory is mapped as if it were lowmem',
  source: '4544b9f25e70',
  rules: ['dma-debug'],
  unfit: hasMmu,
  shows: () => 'must',
  buggy,
  fixed,
};
