import type { CallSite } from '../drivers/base/types/call-site';
import type { ByteRange, FindingSink, MissingCall } from '../drivers/base/types/finding';
import type { AccessKind, MemoryWatch } from '../drivers/base/types/observer';
import type { RuleId } from '../drivers/base/types/rules';
import { bufferOf } from './mappings';
import type { Mapping, Mappings } from './mappings';
import { isMaintenance } from './transfers';
import type { Met } from './transfers';

/** What ownership needs to know of the machine and where it tells what it finds. */
export interface OwnershipConfig {
  readonly watch: MemoryWatch;
  readonly findings: FindingSink;
  /** The number of the event under way. */
  readonly now: () => number;
  /** Of the widest line of any cache; 1 where there is none. */
  readonly lineBytes: number;
  /**
   * The architecture drops what the CPU wrote to a buffer when it is given to a device that
   * writes it: arm invalidates; arm64 cleans since c50f11c6196f, and keeps it.
   */
  readonly dropsAtMap: boolean;
}

/** A finding but for what all findings of ownership have in common. */
export interface Found {
  readonly rule: RuleId;
  readonly device: string;
  readonly mapping: Mapping | null;
  readonly bytes: ByteRange;
  readonly kind: string;
  readonly at: CallSite;
  readonly missing?: Omit<MissingCall, 'range'>;
}

/** Makes findings of what ownership finds. */
export class OwnershipReport {
  readonly #config: OwnershipConfig;
  readonly #mappings: Mappings;

  constructor(config: OwnershipConfig, mappings: Mappings) {
    this.#config = config;
    this.#mappings = mappings;
  }

  found({ rule, device, mapping, bytes, kind, at, missing }: Found): void {
    const { findings, now } = this.#config;
    findings.report({
      rule,
      device,
      buffer: mapping === null ? this.#mappings.ownerOf(bytes.start).buffer : bufferOf(mapping),
      bytes,
      access: { kind, at: at.at },
      missing: missing === undefined ? null : { ...missing, range: bytes },
      event: now(),
      verdict: null,
    });
  }

  /** The CPU, or a call, meets what transfers under way have touched. */
  met(kind: string, met: readonly Met[], at: () => CallSite): void {
    for (const { device, bytes } of met) {
      const { mapping } = this.#mappings.ownerOf(bytes.start);
      this.found({ rule: 'cpu-access-in-transfer', device, mapping, bytes, kind, at: at() });
    }
  }
}

/** `CPU load`, as findings name it; maintenance is nobody's but a CPU's. */
export const nameOf = (access: AccessKind): string =>
  isMaintenance(access) ? access : `CPU ${access}`;
