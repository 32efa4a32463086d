import type { Device } from '../../drivers/base/kernel/device';
import type { IovaDomain } from '../iova';
import type { FlushQueue } from './flush-queue';
import type { DomainType, IommuDevice, IommuDomain, IommuOps } from './types';

/** A stream of an IOMMU: a specifier of a master, as the IOMMU's driver numbers it. */
export interface IommuStream {
  readonly iommu: IommuDevice;
  readonly stream: number;
}

/** What the DMA API has of a domain: its table, and which addresses are given away. */
export interface DmaCookie {
  readonly ops: IommuOps;
  readonly iova: IovaDomain;
  /** Where what was unmapped waits for its invalidation; null: it is invalidated at once. */
  readonly queue: FlushQueue | null;
}

/** A domain, and what the DMA API has of it (iommu_dma_cookie): null but for a domain of its own. */
export interface AttachedDomain {
  readonly domain: IommuDomain;
  /** The type that it has: a domain that cannot be lazy is strict. */
  readonly type: DomainType;
  readonly dma: DmaCookie | null;
}

/** Masters that IOMMUs cannot tell apart, and what they are attached to (struct iommu_group). */
export class IommuGroup {
  /** In the order in which they were made (/sys/kernel/iommu_groups). */
  readonly id: number;
  readonly streams: IommuStream[] = [];
  readonly devices: Device[] = [];
  /** What the DMA API goes through. */
  readonly defaultDomain: AttachedDomain;
  domain: AttachedDomain;

  constructor(id: number, defaultDomain: AttachedDomain) {
    this.id = id;
    this.defaultDomain = defaultDomain;
    this.domain = defaultDomain;
  }
}
