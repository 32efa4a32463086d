import type { Page } from '../../drivers/base/kernel/dma-mapping';
import type { Device } from '../../drivers/base/kernel/device';
import { dmaAddr, offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { DtNode } from '../../drivers/of/tree';
import type { BoundMaster, Machine } from '../../machines/machine';
import {
  DmaDirection,
  dmaBitMask,
  dmaMapPage,
  dmaMappingError,
  dmaSetMaskAndCoherent,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapPage,
} from '../../mm/dma-mapping-common';
import type { IommuGroup } from '../../mm/iommu/group';
import { iommuMap } from '../../mm/iommu/map';
import { IommuProt } from '../../mm/iommu/types';
import type { IommuDomain, IommuOps } from '../../mm/iommu/types';
import { pageToPhys } from '../../mm/page-alloc';
import { reachable } from './dma-support';
import type { Case, CaseContext } from './suite';

/** What a mapping of the IOMMU API permits unless a case wants less. */
export const READ_WRITE = IommuProt.Read + IommuProt.Write;
/** Of addresses that a case maps, from where a table begins: not near 0, and low enough for any. */
const OFFSET = 0x10_0000;

/** A master that is alone behind an IOMMU that dmabench models. */
export interface IommuMaster {
  readonly master: BoundMaster;
  readonly dev: Device;
  readonly group: IommuGroup;
  /** Nodes of the IOMMUs that it passes. */
  readonly nodes: readonly DtNode[];
}

const nodesOf = (machine: Machine, group: IommuGroup): readonly DtNode[] =>
  [...machine.iommus]
    .filter(([, iommu]) => group.streams.some(one => one.iommu === iommu))
    .map(([node]) => node);

/** One for each way in which masters of the board are behind IOMMUs. */
export const iommuMasters = (machine: Machine): readonly IommuMaster[] =>
  machine.masters.flatMap(master => {
    const { dev } = master.device;
    const group = machine.kernel.iommus.groupOf(dev);
    if (group?.devices.length !== 1) return [];
    return [{ master, dev, group, nodes: nodesOf(machine, group) }];
  });

/** A needs-an-IOMMU condition. */
export const withoutIommu = (machine: Machine): string | null =>
  iommuMasters(machine).length > 0 ? null : 'no master is alone behind an IOMMU that is modelled';

/** The IOMMU ends what it does not let through with a bus error: it does not wait for software. */
export const endsFaults = ({ nodes }: IommuMaster): boolean =>
  nodes.every(
    node =>
      !node.compatible.some(name => name.startsWith('ti,')) || node.has('ti,iommu-bus-err-back'),
  );

/** Its tables can say that something is only to be read. */
export const hasPermissions = ({ nodes }: IommuMaster): boolean =>
  nodes.every(node => !node.compatible.some(name => name.startsWith('ti,')));

/** What a case has of a master whose IOMMU translates for it as the case says. */
export interface OwnDomain extends IommuMaster {
  readonly domain: IommuDomain;
  readonly ops: IommuOps;
  /** An address that a large page may have, too. */
  readonly iova: DmaAddr;
  /** 2^order pages for a device that reads and writes them, until the body is done. */
  readonly withBuffer: (order: number, body: (buffer: Buffer) => void) => void;
}

/** Pages that a device has by the DMA API too: for the caches, and so that they are its to touch. */
export interface Buffer {
  readonly page: Page;
  readonly address: CpuAddr;
  readonly size: number;
  /** What the CPU reads from here on is what the device wrote before; and the other way round. */
  readonly forCpu: () => void;
  readonly forDevice: () => void;
  /** The DMA API's part ends before the body does. */
  readonly release: () => void;
}

/** Runs the body with pages of lowmem that the device has, wherever it reaches. */
const withDeviceBuffer = (
  t: CaseContext,
  { master, dev }: IommuMaster,
  order: number,
  body: (buffer: Buffer) => void,
): void => {
  const { mm } = t.machine.kernel;
  dmaSetMaskAndCoherent(dev, dmaBitMask(64));
  const gfp = t.need(reachable(t, master.device), 'memory that it reaches');
  const page = t.need(mm.pages.allocPages(gfp, order), `2^${order} pages`);
  const address = t.need(mm.layout.physToVirt(pageToPhys(page)), 'lowmem');
  const size = PAGE_SIZE * 2 ** order;
  const bus = dmaMapPage(dev, page, 0, size, DmaDirection.Bidirectional);
  t.equal(dmaMappingError(dev, bus), 0, 'dmaMappingError of a buffer');
  let isMapped = true;
  const release = (): void => {
    if (isMapped) dmaUnmapPage(dev, bus, size, DmaDirection.Bidirectional);
    isMapped = false;
  };
  try {
    body({
      page,
      address,
      size,
      forCpu: () => {
        dmaSyncSingleForCpu(dev, bus, size, DmaDirection.Bidirectional);
      },
      forDevice: () => {
        dmaSyncSingleForDevice(dev, bus, size, DmaDirection.Bidirectional);
      },
      release,
    });
  } finally {
    release();
    mm.pages.freePagesAt(page, order);
  }
};

/** Runs the body with the master attached to a domain of its own, in which nothing is mapped. */
export const withOwnDomain = (
  t: CaseContext,
  one: IommuMaster,
  body: (own: OwnDomain) => void,
): void => {
  const { iommus } = t.machine.kernel;
  const domain = t.need(iommus.domainAlloc(one.dev), 'a domain');
  const ops = t.need(domain.ops, 'a table');
  t.equal(iommus.attachDevice(domain, one.dev), 0, 'attachDevice');
  try {
    body({
      ...one,
      domain,
      ops,
      iova: dmaAddr(ops.apertureStart + OFFSET),
      withBuffer: (order, inner) => {
        withDeviceBuffer(t, one, order, inner);
      },
    });
  } finally {
    iommus.detachDevice(domain, one.dev);
    iommus.domainFree(domain);
  }
};

/** Maps a buffer, or its first pages; the case goes on if it could not be. */
export const mapBuffer = (
  t: CaseContext,
  { ops }: Pick<OwnDomain, 'ops'>,
  iova: DmaAddr,
  { page, size }: Pick<Buffer, 'page' | 'size'>,
  prot = READ_WRITE,
): void => {
  t.equal(iommuMap(ops, iova, pageToPhys(page), size, prot), 0, `iommuMap at ${iova}`);
};

/** A case for every master behind an IOMMU that serves. */
export const onEveryIommu = (
  name: string,
  body: (t: CaseContext, own: OwnDomain) => void,
  serves: (one: IommuMaster) => boolean = () => true,
): Case => ({
  name,
  unfit: withoutIommu,
  run: t => {
    const masters = iommuMasters(t.machine).filter(serves);
    if (masters.length === 0) t.skip('no IOMMU of this board serves');
    for (const one of masters) {
      withOwnDomain(t, one, own => {
        body(t, own);
      });
    }
  },
});

/** Where a byte of a buffer is to the device. */
export const at = (iova: DmaAddr, offset: number): DmaAddr => offsetBy(iova, offset);
