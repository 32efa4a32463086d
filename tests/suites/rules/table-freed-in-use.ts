import { dmaAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { DmaDirection, dmaMapPage, dmaUnmapPage } from '../../../mm/dma-mapping-common';
import { iommuMap, iommuUnmap } from '../../../mm/iommu/map';
import { IommuProt } from '../../../mm/iommu/types';
import type { IommuDomain } from '../../../mm/iommu/types';
import { pageToPhys } from '../../../mm/page-alloc';
import type { DriverBench } from '../driver-bench';
import { leavesTablesToCore } from './conditions';
import type { RuleExample } from './example';

/** The device has written through a domain of its own, in which nothing is mapped any more. */
const usedDomain = (bench: DriverBench): IommuDomain | null => {
  const { dev, device, kernel } = bench;
  const domain = kernel.iommus.domainAlloc(dev);
  const ops = domain?.ops ?? null;
  if (domain === null || ops === null) return null;
  kernel.iommus.attachDevice(domain, dev);
  const page = bench.allocPages();
  // By the DMA API it has the page, too, so that it is the device's to touch.
  const bus = bench.mapped(dmaMapPage(dev, page, 0, PAGE_SIZE, DmaDirection.FromDevice));
  const iova = dmaAddr(ops.apertureStart + 0x10_0000);
  const { Read, Write } = IommuProt;
  iommuMap(ops, iova, pageToPhys(page), PAGE_SIZE, Read + Write);
  device.writePattern(iova, 64, 1);
  iommuUnmap(ops, iova, PAGE_SIZE);
  dmaUnmapPage(dev, bus, PAGE_SIZE, DmaDirection.FromDevice);
  bench.freePages(page);
  return domain;
};

/** The table is given back, and then the device is told to use another one. */
export const wrong = (bench: DriverBench): void => {
  const { dev, kernel } = bench;
  const domain = usedDomain(bench);
  const iommu = kernel.iommus.groupOf(dev)?.streams[0]?.iommu;
  if (domain === null || iommu === undefined) return;
  iommu.domainFree(domain);
  kernel.iommus.detachDevice(domain, dev);
  // While it was attached, what was invalidated may have been fetched again.
  domain.ops?.flushAll();
};

/** First nothing leads there, and then the table goes. */
export const right = (bench: DriverBench): void => {
  const { dev, kernel } = bench;
  const domain = usedDomain(bench);
  if (domain === null) return;
  kernel.iommus.detachDevice(domain, dev);
  kernel.iommus.domainFree(domain);
};

export const example: RuleExample = {
  rule: 'table-freed-in-use',
  master: 'translated',
  applies: leavesTablesToCore,
  consequences: ['device-access-unmapped'],
  wrong,
  right,
};
