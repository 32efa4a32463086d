import type { Device } from '../../../base/kernel/device';
import { EINVAL, ENOSPC } from '../../../base/kernel/errno';
import { hex } from '../../../base/types/address';
import { ARM_SMMU_GR0, PrivilegeConfig, StreamType } from '../regs';
import type { SmmuFeatures } from './features';
import type { SmmuRegisters } from './registers';

/** Stream ids as the tree has them: those that differ in bits of `mask` only. */
export interface StreamIds {
  readonly id: number;
  readonly mask: number;
}

/** What is to become of a group of streams. */
export interface StreamRoute {
  readonly type: number;
  readonly bank: number;
}

/**
 * Which streams have a group of the mapping, and where each leads. Streams that are not here are
 * refused (CONFIG_ARM_SMMU_DISABLE_BYPASS_BY_DEFAULT).
 */
export class StreamMap {
  readonly #dev: Device;
  readonly #regs: SmmuRegisters;
  readonly #features: SmmuFeatures;
  /** By group; null: free. */
  readonly #groups: (StreamIds | null)[];
  readonly #routes: StreamRoute[];
  /** Bits that SMR has. */
  readonly #idBits: number;
  readonly #maskBits: number;

  constructor(dev: Device, regs: SmmuRegisters, features: SmmuFeatures) {
    this.#dev = dev;
    this.#regs = regs;
    this.#features = features;
    this.#groups = Array.from({ length: features.groups }, () => null);
    this.#routes = this.#groups.map(() => ({ type: StreamType.Fault, bank: 0 }));
    const { idBits, maskBits } = this.#testBits();
    this.#idBits = idBits;
    this.#maskBits = maskBits;
  }

  /** Nothing is let through (arm_smmu_device_reset). */
  reset(): void {
    for (let group = 0; group < this.#groups.length; group++) this.#write(group);
  }

  /**
   * The group of these streams: one that holds all of them, or a new one. -EINVAL for ids that the
   * hardware does not have, or of which another group has some; -ENOSPC if all groups are taken
   * (arm_smmu_find_sme).
   */
  claim(streams: StreamIds): number {
    const refused = this.#outOfRange(streams);
    if (refused !== null) {
      this.#dev.services.log.device('err', this.#dev, refused);
      return -EINVAL;
    }
    if (!this.#features.isMatching) {
      this.#groups[streams.id] ??= streams;
      return streams.id;
    }
    let free = -ENOSPC;
    for (const [group, known] of this.#groups.entries()) {
      if (known === null) {
        if (free < 0) free = group;
        continue;
      }
      const differs = (known.id ^ streams.id) & ~known.mask;
      if ((streams.mask & ~known.mask) === 0 && differs === 0) return group;
      if ((differs & ~streams.mask) === 0) return -EINVAL;
    }
    if (free >= 0) {
      this.#groups[free] = streams;
      this.#write(free);
    }
    return free;
  }

  /** Where the streams of a group lead from here on. */
  route(group: number, route: StreamRoute): void {
    this.#routes[group] = route;
    this.#writeRoute(group);
  }

  /** The group of a stream, as a fault tells it; null if it has none. */
  groupOf(stream: number): number | null {
    const group = this.#groups.findIndex(
      known => known !== null && ((known.id ^ stream) & ~known.mask) === 0,
    );
    return group < 0 ? null : group;
  }

  #outOfRange({ id, mask }: StreamIds): string | null {
    if ((id & ~this.#idBits) !== 0) {
      return `stream ID ${hex(id)} out of range for SMMU (${hex(this.#idBits)})`;
    }
    if ((mask & ~this.#maskBits) !== 0) {
      return `SMR mask ${hex(mask)} out of range for SMMU (${hex(this.#maskBits)})`;
    }
    return null;
  }

  /** What of ids and masks the registers keep: hardware may have fewer bits than IDR0 says. */
  #testBits(): { idBits: number; maskBits: number } {
    const { isMatching, streamIdMask } = this.#features;
    if (!isMatching) return { idBits: streamIdMask, maskBits: 0 };
    const smr = this.#regs.gr0.SMR(0);
    const { ID, MASK } = ARM_SMMU_GR0.registers.SMR.fields;
    smr.write({ ID: streamIdMask & ID.max });
    const idBits = smr.read().ID;
    smr.write({ MASK: idBits & MASK.max });
    const maskBits = smr.read().MASK;
    smr.write(0);
    return { idBits, maskBits };
  }

  /** S2CR first: what SMR makes valid leads somewhere. */
  #write(group: number): void {
    this.#writeRoute(group);
    if (!this.#features.isMatching) return;
    const known = this.#groups[group] ?? null;
    const smr = this.#regs.gr0.SMR(group);
    if (known === null) smr.write(0);
    else smr.write({ ID: known.id, MASK: known.mask, VALID: 1 });
  }

  #writeRoute(group: number): void {
    const { type = StreamType.Fault, bank = 0 } = this.#routes[group] ?? {};
    this.#regs.gr0.S2CR(group).write({ TYPE: type, CBNDX: bank, PRIVCFG: PrivilegeConfig.Default });
  }
}
