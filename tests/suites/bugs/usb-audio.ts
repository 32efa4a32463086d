import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasMmu } from '../rules/conditions';
import type { Bug } from './bug';
import { busAddressOf } from './unchecked';

const { ToDevice } = DmaDirection;
const SIZE = 32;

/**
 * snd_usb_accessmusic_boot_quirk: the message is a local variable. Stacks are vmalloc memory
 * (VMAP_STACK), and what they cannot be mapped to nobody has asked.
 */
const buggy = (bench: DriverBench): number => {
  const { dev, device } = bench;
  const stack = bench.vmalloc(SIZE);
  bench.fill(stack, SIZE, 161);
  const dma = dmaMapSingle(dev, stack, SIZE, ToDevice);
  const { error, mismatches } = device.checkPattern(busAddressOf(dma), SIZE, 161);
  bench.vfree(stack);
  return error === 0 ? mismatches : SIZE;
};

/** kmemdup: the message is copied to where the device can reach it. */
const fixed = (bench: DriverBench): number => {
  const { dev, device } = bench;
  const message = bench.kmalloc(SIZE);
  bench.fill(message, SIZE, 161);
  const dma = dmaMapSingle(dev, message, SIZE, ToDevice);
  if (dmaMappingError(dev, dma) !== 0) return SIZE;
  const { mismatches } = device.checkPattern(dma, SIZE, 161);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(message);
  return mismatches;
};

export const bug: Bug = {
  name: 'usb_audio_message_is_on_the_stack',
  title: 'ALSA: usb-audio: DMA to and from stack memory',
  source: 'f7d306b47a24, bfa4133795e5',
  rules: ['dma-debug'],
  unfit: hasMmu,
  shows: () => 'must',
  buggy,
  fixed,
};
