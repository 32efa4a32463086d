import type { Device } from '../../drivers/base/kernel/device';
import { EBUSY, EINVAL, ENODEV, ENOMEM, ENOSYS } from '../../drivers/base/kernel/errno';
import { invariant } from '../../drivers/base/types/errors';
import { makeCookie, reserveRegions } from './cookie';
import type { CookieParts } from './cookie';
import { countedMemory, newCounts } from './counted';
import { IommuGroup } from './group';
import type { AttachedDomain, DmaCookie, IommuStream } from './group';
import type {
  DomainType,
  FaultHandler,
  IommuDevice,
  IommuDomain,
  IommuFault,
  ReservedRegion,
  TableMemory,
} from './types';

/** A specifier of a device: which IOMMU, and what the tree writes behind it. */
export interface IommuSpec {
  readonly iommu: IommuDevice;
  readonly cells: readonly number[];
}

/**
 * What the core is told of the kernel around it. The gate is asked before each invalidation.
 */
export interface IommusConfig extends CookieParts {
  readonly memory: TableMemory;
  /** What a device gets unless its driver knows better (iommu.passthrough, iommu.strict). */
  readonly defaultType: Extract<DomainType, 'dma' | 'dma-fq' | 'identity'>;
}

/** What else is known of a device whose group is asked for. */
export interface GroupOptions {
  /** Addresses that are not to be given to it, beside those of the IOMMU (iommu-addresses, PCI windows). */
  readonly reserved?: readonly ReservedRegion[];
  /** It may do harm: it is translated, and invalidation waits for nothing. */
  readonly isUntrusted?: boolean;
  /** The DMA API does not use the IOMMU for it, whatever the policy is. */
  readonly isDirect?: boolean;
}

/** All IOMMUs of a kernel, their groups, and which domain each has (drivers/iommu/iommu.c). */
export class Iommus {
  /** What tables and their changes have cost so far; whoever measures takes the difference. */
  readonly counts = newCounts();
  readonly #config: IommusConfig;
  readonly #memory: TableMemory;
  /** By IOMMU and stream. */
  readonly #groups = new Map<IommuDevice, Map<number, IommuGroup>>();
  readonly #groupOf = new Map<Device, IommuGroup>();
  /** By its domain, what a user of the IOMMU API has. */
  readonly #users = new Map<IommuDomain, IommuDevice>();
  /** Groups that somebody other than the DMA API has, with what keeps everything out. */
  readonly #owned = new Map<IommuGroup, AttachedDomain>();
  readonly #handlers = new Map<IommuDomain, FaultHandler>();
  #lastId = -1;

  constructor(config: IommusConfig) {
    this.#config = config;
    this.#memory = countedMemory(config.memory, this.counts, config.gate);
  }

  /** An IOMMU is there from now on (iommu_device_register). */
  register(iommu: IommuDevice): void {
    invariant(!this.#groups.has(iommu), `${iommu.name} is registered twice`);
    this.#groups.set(iommu, new Map());
    iommu.onFault(fault => this.#report(iommu, fault));
  }

  /**
   * The group of a device with these specifiers, attached to its default domain: found, or made
   * (of_iommu_configure, iommu_group_get_for_dev). -ENODEV for an IOMMU that is not there, -EINVAL
   * for cells that it does not know, for IOMMUs of several drivers and for streams of several
   * groups, -ENOMEM, or what the driver answers.
   */
  groupFor(specs: readonly IommuSpec[], options: GroupOptions = {}): IommuGroup | number {
    const streams: IommuStream[] = [];
    let group: IommuGroup | null = null;
    for (const { iommu, cells } of specs) {
      const groups = this.#groups.get(iommu);
      if (groups === undefined) return -ENODEV;
      const stream = iommu.streamOf(cells);
      if (stream < 0) return stream;
      const known = groups.get(stream) ?? null;
      if (group !== null && known !== null && known !== group) return -EINVAL;
      group ??= known;
      if (!streams.some(other => other.iommu === iommu && other.stream === stream)) {
        streams.push({ iommu, stream });
      }
    }
    if (group === null) return this.#makeGroup(specs, streams, options);
    const { dma } = group.defaultDomain;
    const reserved = dma === null ? 0 : reserveRegions(dma, options.reserved ?? []);
    return reserved === 0 ? this.#widen(group, streams) : reserved;
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

  /** True if a device of this name unmapped this address, and its invalidation waits. */
  awaitsFlush(name: string, address: number): boolean {
    const [dev] = [...this.#groupOf.keys()].filter(each => each.name === name);
    const { iova, queue } = (dev && this.dmaDomain(dev)) ?? {};
    return iova !== undefined && queue?.covers(Math.floor(address / iova.granule)) === true;
  }

  /** A domain for a user of its own; null without memory (iommu_paging_domain_alloc). */
  domainAlloc(dev: Device): IommuDomain | null {
    const iommu = this.groupOf(dev)?.streams[0]?.iommu;
    const domain = iommu?.domainAlloc('unmanaged', this.#memory) ?? null;
    if (domain !== null && iommu !== undefined) this.#users.set(domain, iommu);
    return domain;
  }

  /** Ends a domain that no device is attached to. */
  domainFree(domain: IommuDomain): void {
    const iommu = this.#users.get(domain);
    invariant(iommu !== undefined, 'a domain that domainAlloc did not give');
    invariant(!this.#allGroups().some(group => group.domain.domain === domain), 'a domain in use');
    this.#users.delete(domain);
    this.#handlers.delete(domain);
    iommu.domainFree(domain);
  }

  /** Faults of devices in this domain are told to the handler (iommu_set_fault_handler). */
  setFaultHandler(domain: IommuDomain, handler: FaultHandler): void {
    this.#handlers.set(domain, handler);
  }

  /**
   * Attaches the one device of a group to a domain of its IOMMU (iommu_attach_device): 0; -ENODEV
   * behind no IOMMU, -EINVAL for a domain of another IOMMU or a device that is not alone in its
   * group, -EBUSY for one that has such a domain already.
   */
  attachDevice(domain: IommuDomain, dev: Device): number {
    const group = this.groupOf(dev);
    if (group === null) return -ENODEV;
    if (group.devices.length !== 1 || !this.#users.has(domain)) return -EINVAL;
    const isFree = group.domain === group.defaultDomain || group.domain === this.#owned.get(group);
    if (!isFree) return -EBUSY;
    return this.#attach(group, { domain, type: domain.type, dma: null });
  }

  /** Back to the default domain, or to none for a group that has an owner (iommu_detach_device). */
  detachDevice(domain: IommuDomain, dev: Device): void {
    const group = this.groupOf(dev);
    if (group?.domain.domain !== domain) return;
    this.#mustAttach(group, this.#owned.get(group) ?? group.defaultDomain);
  }

  /**
   * Takes the group of a device from the DMA API: nothing that its devices do passes until somebody
   * attaches it (iommu_device_claim_dma_owner). 0; -ENODEV behind no IOMMU, -EBUSY for a group that
   * has an owner or another domain, -ENOMEM.
   */
  claimDmaOwner(dev: Device): number {
    const group = this.groupOf(dev);
    const iommu = group?.streams[0]?.iommu;
    if (group === null || iommu === undefined) return -ENODEV;
    if (this.#owned.has(group) || group.domain !== group.defaultDomain) return -EBUSY;
    const domain = this.#allocBlocked(iommu);
    if (domain === null) return -ENOMEM;
    const blocked: AttachedDomain = { domain, type: 'blocked', dma: null };
    const result = this.#attach(group, blocked);
    if (result === 0) this.#owned.set(group, blocked);
    else iommu.domainFree(domain);
    return result;
  }

  /** Gives it back to the DMA API (iommu_device_release_dma_owner). */
  releaseDmaOwner(dev: Device): void {
    const group = this.groupOf(dev);
    const blocked = group === null ? undefined : this.#owned.get(group);
    if (group === null || blocked === undefined) return;
    this.#owned.delete(group);
    this.#mustAttach(group, group.defaultDomain);
    group.streams[0]?.iommu.domainFree(blocked.domain);
  }

  /** Of a driver without blocked domains an empty table is as good. */
  #allocBlocked(iommu: IommuDevice): IommuDomain | null {
    const memory = this.#memory;
    return iommu.domainAlloc('blocked', memory) ?? iommu.domainAlloc('unmanaged', memory);
  }

  #makeGroup(
    specs: readonly IommuSpec[],
    streams: readonly IommuStream[],
    options: GroupOptions,
  ): IommuGroup | number {
    const [first] = specs;
    if (first === undefined) return -ENODEV;
    const { iommu } = first;
    const attached = this.#defaultDomain(first, options);
    if (typeof attached === 'number') return attached;
    const group = new IommuGroup(this.#lastId + 1, attached);
    const regions = [...(iommu.reservedRegions?.() ?? []), ...(options.reserved ?? [])];
    const reserved = attached.dma === null ? 0 : reserveRegions(attached.dma, regions);
    const result = reserved === 0 ? this.#widen(group, streams) : reserved;
    if (typeof result === 'number') iommu.domainFree(attached.domain);
    else this.#lastId++;
    return result;
  }

  /**
   * What the driver wants, or else the kernel's policy (iommu_get_default_domain_type); a lazy domain
   * is strict where the hardware cannot be (iommu_dma_init_domain).
   */
  #defaultDomain({ iommu, cells }: IommuSpec, options: GroupOptions): AttachedDomain | number {
    const { isDirect = false, isUntrusted = false } = options;
    const wanted = iommu.defaultDomainType?.(cells) ?? this.#config.defaultType;
    const policy = isDirect ? 'identity' : isUntrusted ? 'dma' : wanted;
    const type = policy === 'dma-fq' && !iommu.deferredFlush ? 'dma' : policy;
    const domain = iommu.domainAlloc(type, this.#memory);
    if (domain === null) return -ENOMEM;
    const { ops } = domain;
    const dma =
      ops === null || type === 'identity'
        ? null
        : makeCookie(ops, type === 'dma-fq', this.#config, this.counts);
    return { domain, type, dma };
  }

  /** The group has these streams from now on, in the domain that it has: all of them, or an errno. */
  #widen(group: IommuGroup, streams: readonly IommuStream[]): IommuGroup | number {
    for (const { iommu, stream } of streams) {
      const groups = this.#groups.get(iommu);
      if (groups?.has(stream) !== false) continue;
      const result = iommu.attach(stream, group.domain.domain);
      if (result !== 0) {
        for (const { iommu, stream } of group.streams) this.#groups.get(iommu)?.delete(stream);
        return result;
      }
      groups.set(stream, group);
      group.streams.push({ iommu, stream });
    }
    return group;
  }

  /** All streams of the group, or none: 0 or an errno (__iommu_group_set_domain). */
  #attach(group: IommuGroup, attached: AttachedDomain): number {
    for (const [done, { iommu, stream }] of group.streams.entries()) {
      const result = iommu.attach(stream, attached.domain);
      if (result === 0) continue;
      for (const { iommu: back, stream: other } of group.streams.slice(0, done)) {
        back.attach(other, group.domain.domain);
      }
      return result;
    }
    group.domain = attached;
    return 0;
  }

  /** Of a domain that the group has had: it cannot fail (__iommu_group_set_domain_nofail). */
  #mustAttach(group: IommuGroup, attached: AttachedDomain): void {
    const result = this.#attach(group, attached);
    invariant(result === 0, `IOMMU group ${group.id}: back to its domain: ${result}`);
  }

  #allGroups(): readonly IommuGroup[] {
    return [...new Set([...this.#groups.values()].flatMap(groups => [...groups.values()]))];
  }

  /** -ENOSYS without a handler: the driver says it (report_iommu_fault). */
  #report(iommu: IommuDevice, fault: IommuFault): number {
    const group = this.#groups.get(iommu)?.get(fault.stream);
    const handler = group && this.#handlers.get(group.domain.domain);
    return handler?.(fault) ?? -ENOSYS;
  }
}
