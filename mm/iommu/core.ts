import type { CallGate } from '../../drivers/base/kernel/call-gate';
import type { Device } from '../../drivers/base/kernel/device';
import { EBUSY, EINVAL, ENODEV, ENOMEM } from '../../drivers/base/kernel/errno';
import { hex } from '../../drivers/base/types/address';
import { invariant } from '../../drivers/base/types/errors';
import { IovaDomain } from '../iova';
import type { IovaCpus } from '../iova-cache';
import type {
  DomainType,
  IommuDevice,
  IommuDomain,
  IommuFault,
  IommuOps,
  TableMemory,
} from './types';

/** Masters that one IOMMU cannot tell apart, and what they are attached to (struct iommu_group). */
export class IommuGroup {
  readonly iommu: IommuDevice;
  readonly number: number;
  readonly devices: Device[] = [];
  /** What the DMA API goes through. */
  readonly defaultDomain: AttachedDomain;
  domain: AttachedDomain;

  constructor(iommu: IommuDevice, number: number, defaultDomain: AttachedDomain) {
    this.iommu = iommu;
    this.number = number;
    this.defaultDomain = defaultDomain;
    this.domain = defaultDomain;
  }
}

/** What the DMA API has of a domain: its table, and which addresses are given away. */
export interface DmaCookie {
  readonly ops: IommuOps;
  readonly iova: IovaDomain;
}

/** A domain, and what the DMA API has of it (iommu_dma_cookie): null but for a domain of its own. */
export interface AttachedDomain {
  readonly domain: IommuDomain;
  readonly dma: DmaCookie | null;
}

/** What the core is told of the kernel around it. */
export interface IommusConfig {
  readonly memory: TableMemory;
  readonly cpus: IovaCpus;
  /** What a device gets unless somebody attaches it elsewhere (iommu.passthrough). */
  readonly defaultType: Extract<DomainType, 'dma' | 'identity'>;
  /** Asked before each invalidation (`flush`); null: all are carried out. */
  readonly gate: CallGate | null;
}

/** All IOMMUs of a kernel, their groups, and which domain each has (drivers/iommu/iommu.c). */
export class Iommus {
  readonly #config: IommusConfig;
  readonly #groups = new Map<IommuDevice, Map<number, IommuGroup>>();
  readonly #groupOf = new Map<Device, IommuGroup>();
  /** By its domain, what a user of the IOMMU API has. */
  readonly #users = new Map<IommuDomain, IommuDevice>();

  constructor(config: IommusConfig) {
    this.#config = config;
  }

  /** An IOMMU is there from now on (iommu_device_register). */
  register(iommu: IommuDevice): void {
    invariant(!this.#groups.has(iommu), `${iommu.name} is registered twice`);
    this.#groups.set(iommu, new Map());
    iommu.onFault(fault => {
      this.#report(iommu, fault);
    });
  }

  /**
   * The group of a device whose `iommus` has these cells, attached to its default domain: found, or
   * made (of_iommu_configure, iommu_group_get_for_dev). -ENODEV for an IOMMU that is not there,
   * -EINVAL for cells that it does not know, -ENOMEM.
   */
  groupFor(iommu: IommuDevice, cells: readonly number[]): IommuGroup | number {
    const groups = this.#groups.get(iommu);
    if (groups === undefined) return -ENODEV;
    const number = iommu.groupOf(cells);
    if (number < 0) return number;
    const group = groups.get(number) ?? this.#makeGroup(iommu, number);
    if (group === null) return -ENOMEM;
    groups.set(number, group);
    return group;
  }

  /** The device is of this group from now on (iommu_group_add_device). */
  addDevice(group: IommuGroup, dev: Device): void {
    invariant(!this.#groupOf.has(dev), `${dev.name} is in two IOMMU groups`);
    group.devices.push(dev);
    this.#groupOf.set(dev, group);
  }

  /** The group of a device; null for one that is behind no IOMMU (dev->iommu_group). */
  groupOf(dev: Device): IommuGroup | null {
    return this.#groupOf.get(dev) ?? null;
  }

  /** The domain that the DMA API of a device goes through; null: it goes directly. */
  dmaDomain(dev: Device): DmaCookie | null {
    return this.#groupOf.get(dev)?.defaultDomain.dma ?? null;
  }

  /** True if all that a device of this name touches goes through mappings of the DMA API. */
  isMappedByDmaApi(name: string): boolean {
    const [, group] = [...this.#groupOf].find(([dev]) => dev.name === name) ?? [];
    return group?.domain === group?.defaultDomain && group?.defaultDomain.dma !== null;
  }

  /** A domain for a user of its own; null without memory (iommu_paging_domain_alloc). */
  domainAlloc(dev: Device): IommuDomain | null {
    const group = this.groupOf(dev);
    const domain = group?.iommu.domainAlloc('unmanaged', this.#config.memory) ?? null;
    if (domain !== null && group !== null) this.#users.set(domain, group.iommu);
    return domain;
  }

  /** Ends a domain that no device is attached to. */
  domainFree(domain: IommuDomain): void {
    const iommu = this.#users.get(domain);
    invariant(iommu !== undefined, 'a domain that domainAlloc did not give');
    const groups = [...(this.#groups.get(iommu)?.values() ?? [])];
    invariant(!groups.some(group => group.domain.domain === domain), 'a domain that is in use');
    this.#users.delete(domain);
    iommu.domainFree(domain);
  }

  /**
   * Attaches the one device of a group to a domain of its IOMMU (iommu_attach_device): 0; -ENODEV
   * behind no IOMMU, -EINVAL for a domain of another IOMMU or a device that is not alone in its
   * group, -EBUSY for one that has such a domain already.
   */
  attachDevice(domain: IommuDomain, dev: Device): number {
    const group = this.groupOf(dev);
    if (group === null) return -ENODEV;
    if (group.devices.length !== 1 || this.#users.get(domain) !== group.iommu) return -EINVAL;
    if (group.domain !== group.defaultDomain) return -EBUSY;
    this.#attach(group, { domain, dma: null });
    return 0;
  }

  /** Back to the default domain (iommu_detach_device). */
  detachDevice(domain: IommuDomain, dev: Device): void {
    const group = this.groupOf(dev);
    if (group?.domain.domain !== domain) return;
    this.#attach(group, group.defaultDomain);
  }

  #makeGroup(iommu: IommuDevice, number: number): IommuGroup | null {
    const { memory, cpus, defaultType } = this.#config;
    const domain = iommu.domainAlloc(defaultType, memory);
    if (domain === null) return null;
    const group = new IommuGroup(iommu, number, { domain, dma: this.#dmaOf(domain, cpus) });
    iommu.attach(number, domain);
    return group;
  }

  #dmaOf({ ops, type }: IommuDomain, cpus: IovaCpus): DmaCookie | null {
    if (ops === null || type !== 'dma') return null;
    return { ops: flushGated(ops, this.#config.gate), iova: new IovaDomain(spaceOf(ops), cpus) };
  }

  #attach(group: IommuGroup, attached: AttachedDomain): void {
    group.domain = attached;
    group.iommu.attach(group.number, attached.domain);
  }

  /** As report_iommu_fault() without a handler: it is said, and that is all. */
  #report(iommu: IommuDevice, { group, address, write, cause }: IommuFault): void {
    const devices = this.#groups.get(iommu)?.get(group)?.devices ?? [];
    for (const dev of devices.slice(0, 1)) {
      const kind = write ? 'write' : 'read';
      const text = `Unhandled context fault: ${cause}, ${kind} of iova=${hex(address)}`;
      dev.services.log.device('err', dev, text);
    }
  }
}

/** iommu_dma_init_domain(): frames of the smallest page, never address 0. */
const spaceOf = (
  ops: NonNullable<IommuDomain['ops']>,
): ConstructorParameters<typeof IovaDomain>[0] => {
  const granule = granuleOf(ops.pageSizes);
  return {
    granule,
    startPfn: Math.max(1, Math.ceil(ops.apertureStart / granule)),
    endPfn: Math.floor((ops.apertureEnd + 1) / granule),
  };
};

/** The same table, its invalidations behind the gate. */
const flushGated = (ops: IommuOps, gate: CallGate | null): IommuOps =>
  gate === null
    ? ops
    : {
        pageSizes: ops.pageSizes,
        apertureStart: ops.apertureStart,
        apertureEnd: ops.apertureEnd,
        map: (iova, address, size, prot) => ops.map(iova, address, size, prot),
        unmap: (iova, size) => ops.unmap(iova, size),
        iovaToPhys: iova => ops.iovaToPhys(iova),
        flush: (iova, size) => {
          if (gate.isCarriedOut('iommu', 'flush')) ops.flush(iova, size);
        },
      };

/** The smallest page. */
export const granuleOf = (pageSizes: number): number => {
  let granule = 1;
  while (Math.floor(pageSizes / granule) % 2 === 0) granule *= 2;
  return granule;
};
