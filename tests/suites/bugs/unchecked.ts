import { dmaAddr } from '../../../drivers/base/types/address';
import type { DmaAddr } from '../../../drivers/base/types/address';
import { DMA_MAPPING_ERROR } from '../../../mm/dma-mapping-common';

/** All ones, as far as a number holds them: nothing answers there. */
const ALL_ONES = dmaAddr(2 ** 52 - 1);

/** What a device is programmed with by a driver that never asks dma_mapping_error(). */
export const busAddressOf = (dma: DmaAddr): DmaAddr => (dma === DMA_MAPPING_ERROR ? ALL_ONES : dma);
