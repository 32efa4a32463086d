import { u8 } from '../../../drivers/base/types/arrays';
import { PAGE_SIZE, alignDown } from '../../../drivers/base/types/bits';
import { BenchError, UnmodelledError } from '../../../drivers/base/types/errors';
import { FaultKind, TlbOp } from '../../../drivers/base/types/isa';
import { memberState } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { is64Bit } from '../profile';
import type { CoreProfile } from '../profile';
import { ACTLR, PA_BITS, RGN, SCTLR, TCR_HIGH, TTBCR, TTBR_LONG, TTBR_SHORT } from '../regs/sysreg';
import { DOMAIN, SECTION } from '../regs/short-descriptor';
import {
  Cacheability,
  DEVICE,
  READ,
  STRONGLY_ORDERED,
  USER_READ,
  USER_WRITE,
  WRITE,
  innerOf,
  isNormal,
  isShareable,
  normalMemory,
  outerOf,
  withInner,
  withOuter,
} from './attributes';
import { regionOf } from './long-regions';
import { resetRegisters, restoreRegisters } from './registers';
import { GLOBAL, Tlb } from './tlb';
import type { TlbEntry } from './tlb';
import { walkFault } from './walk';
import type { WalkResult } from './walk';
import { walkLong } from './walk-long';
import { walkShort } from './walk-short';

const ALL_RIGHTS = READ | WRITE | USER_READ | USER_WRITE;
/** An entry has no more (bits 47:12). */
const LARGEST_PA_BITS = 48;

/** What the MMU asks of the memory system. */
export interface WalkMemory {
  /** One word of a table, read with the walk's own cacheability; null where nothing answers. */
  readTableWord(address: number, inner: Cacheability, outer: Cacheability): number | null;
  isRam(address: number): boolean;
}

/**
 * The translation of one CPU: its registers, its TLB, and walks through memory. A translation
 * either succeeds (an entry) or leaves `faultKind` and `faultLevel`.
 */
export class Mmu implements Stateful {
  readonly registers = resetRegisters();
  readonly tlb: Tlb;
  faultKind: FaultKind = FaultKind.None;
  faultLevel = 0;

  readonly #core: CoreProfile;
  readonly #is64: boolean;
  readonly #hasLpae: boolean;
  #attached: WalkMemory | null = null;

  constructor(core: CoreProfile, tlbCapacity: number) {
    this.#core = core;
    this.#is64 = is64Bit(core);
    this.#hasLpae = core.tables.includes('lpae');
    this.tlb = new Tlb(tlbCapacity);
  }

  /** Walks go through the caches of the CPU, which need the MMU: joined after both exist. */
  attach(memory: WalkMemory): void {
    this.#attached = memory;
  }

  get #memory(): WalkMemory {
    if (this.#attached === null) throw new BenchError('an MMU without memory');
    return this.#attached;
  }

  get isOn(): boolean {
    return (this.registers.sctlr & SCTLR.M) !== 0;
  }

  get asid(): number {
    const { contextidr, ttbr0High } = this.registers;
    return this.#isLong ? (ttbr0High >>> TTBR_LONG.asidShift) & 0xff : contextidr & 0xff;
  }

  /** The translation of an address, from the TLB or by a walk that fills it. */
  translate(va: number): TlbEntry | null {
    if (!this.isOn) return this.#untranslated(va);
    const hit = this.tlb.find(va, this.asid);
    if (hit !== null) return hit;
    const walked = this.walk(va);
    if (!walked.ok) {
      this.faultKind = walked.kind;
      this.faultLevel = walked.level;
      return null;
    }
    this.tlb.insert(walked.entry);
    return walked.entry;
  }

  /** The translation an unasked-for access would use: nothing is filled, no fault recorded. */
  peek(va: number): TlbEntry | null {
    if (!this.isOn) return this.#untranslated(va);
    const hit = this.tlb.find(va, this.asid);
    if (hit !== null) return hit;
    const walked = this.walk(va);
    return walked.ok ? walked.entry : null;
  }

  /**
   * The memory of an entry and the rights to it, as this core sees them now: its domain applied (no
   * rights at all on NoAccess), and the cacheability what the core makes of it.
   */
  effectiveAttributes(entry: TlbEntry): number {
    const cached = this.#asThisCore(entry.attributes);
    if (this.#isLong || !this.isOn) return cached;
    switch ((this.registers.dacr >>> (entry.domain * 2)) & 3) {
      case DOMAIN.manager:
        return cached | ALL_RIGHTS;
      case DOMAIN.client:
        return cached;
      default:
        return cached & ~ALL_RIGHTS;
    }
  }

  /** This core takes part in coherency, or needs no leave to. Source: Cortex-A9 TRM 7.4.3. */
  get isCoherent(): boolean {
    const { multiprocessor, architecture } = this.#core;
    const asksForIt = multiprocessor && architecture === 'v7';
    return !asksForIt || (this.registers.actlr & ACTLR.SMP) !== 0;
  }

  /**
   * Maintenance of this core reaches the others. Cortex-A5 and A9 forward it only while ACTLR.FW is
   * set. Source: Cortex-A9 TRM 4.3.10.
   */
  get isBroadcast(): boolean {
    const { architecture, maintenanceBroadcast, tables } = this.#core;
    const asksForIt = architecture === 'v7' && !tables.includes('lpae');
    return maintenanceBroadcast && (!asksForIt || (this.registers.actlr & ACTLR.FW) !== 0);
  }

  /** True if the domain of the entry forbids everything: the fault is then a domain fault. */
  isDomainFault(entry: TlbEntry): boolean {
    if (this.#isLong || !this.isOn) return false;
    const access = (this.registers.dacr >>> (entry.domain * 2)) & 3;
    return access !== DOMAIN.client && access !== DOMAIN.manager;
  }

  /** The level of the walk that found an entry, by what it covers; 0 while translation is off. */
  levelOf({ span }: TlbEntry): number {
    if (!this.isOn) return 0;
    if (this.#isLong) return 3 - Math.floor((Math.log2(span) - 12) / 9);
    return span >= SECTION.size ? 1 : 2;
  }

  walk(va: number): WalkResult {
    return this.#isLong ? this.#walkLong(va) : this.#walkShort(va);
  }

  /** One TLB operation on this CPU's TLB; broadcast forms are the domain's business. */
  invalidate(op: TlbOp, operand: number, asid: number): void {
    switch (op) {
      case TlbOp.All:
      case TlbOp.AllIS:
        this.tlb.invalidateAll();
        break;
      case TlbOp.Address:
      case TlbOp.AddressIS:
        this.tlb.invalidateAddress(operand, asid);
        break;
      case TlbOp.AddressAllAsid:
      case TlbOp.AddressAllAsidIS:
        this.tlb.invalidateAddressAllAsids(operand);
        break;
      case TlbOp.Asid:
      case TlbOp.AsidIS:
        this.tlb.invalidateAsid(operand);
        break;
    }
  }

  saveState(): StateValue {
    const { faultKind, faultLevel } = this;
    return {
      registers: { ...this.registers },
      tlb: this.tlb.saveState(),
      faultKind,
      faultLevel,
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'an MMU');
    restoreRegisters(this.registers, reader.value('registers'));
    this.tlb.restoreState(reader.value('tlb'));
    this.faultKind = memberState(FaultKind, reader.number('faultKind'), 'an MMU');
    this.faultLevel = reader.number('faultLevel');
  }

  get #isLong(): boolean {
    return this.#is64 || (this.#hasLpae && (this.registers.tcr & TTBCR.eae) !== 0);
  }

  /** MMU off: strongly ordered, all of it; an MPU core maps RAM cacheable and the rest as device. */
  #untranslated(va: number): TlbEntry {
    let attributes: number = STRONGLY_ORDERED;
    if (this.#core.tables.length === 0) {
      const cached = (this.registers.sctlr & SCTLR.C) !== 0;
      const policy = cached ? Cacheability.writeBackAllocate : Cacheability.none;
      attributes = this.#memory.isRam(va) ? normalMemory(policy, policy, false) : DEVICE;
    }
    const base = alignDown(va, PAGE_SIZE);
    return {
      va: base,
      span: PAGE_SIZE,
      pa: base,
      attributes: attributes | ALL_RIGHTS,
      domain: 0,
      asid: GLOBAL,
    };
  }

  /** What this core makes of the cacheability that the tables ask for. */
  #asThisCore(attributes: number): number {
    if (!isNormal(attributes)) return attributes;
    const { writeThrough, writeAllocate } = this.#core;
    const inner = innerOf(attributes);
    const isOff = (this.registers.sctlr & SCTLR.C) === 0;
    const isAlone = isShareable(attributes) && !this.isCoherent;
    const isThrough = inner === Cacheability.writeThrough && writeThrough === 'non-cacheable';
    if (isOff || (this.#isUnified && !isCachedTwice(attributes))) return uncached(attributes);
    if (isAlone || isThrough) return withInner(attributes, Cacheability.none);
    if (inner === Cacheability.writeBackAllocate && writeAllocate === 'never') {
      return withInner(attributes, Cacheability.writeBack);
    }
    return attributes;
  }

  /**
   * The second level is this core's own and other cores see it: only what is cacheable in both
   * levels is cached at all. Source: Cortex-A57 TRM 6.3, Cortex-A15 TRM 6.2.2.
   */
  get #isUnified(): boolean {
    return this.#core.multiprocessor && this.#core.l2 !== null;
  }

  /** With the caches off, walks do not look into them either. */
  #policyOf(rgn: number): Cacheability {
    return (this.registers.sctlr & SCTLR.C) === 0 ? Cacheability.none : policyOf(rgn);
  }

  #walkShort(va: number): WalkResult {
    const r = this.registers;
    const split = r.tcr & TTBCR.nMask;
    const isUpper = split > 0 && Math.floor(va / 2 ** (32 - split)) !== 0;
    if ((r.tcr & (isUpper ? TTBCR.pd1 : TTBCR.pd0)) !== 0) {
      return walkFault(FaultKind.Translation, 1);
    }
    const ttbr = isUpper ? r.ttbr1 : r.ttbr0;
    const irgn = ((ttbr & TTBR_SHORT.irgn0) !== 0 ? 1 : 0) | ((ttbr & TTBR_SHORT.irgn1) << 1);
    const isShared = (ttbr & TTBR_SHORT.shareable) !== 0;
    const inner = isShared && !this.isCoherent ? Cacheability.none : this.#policyOf(irgn);
    const outer = this.#policyOf((ttbr >>> TTBR_SHORT.rgnShift) & 3);
    return walkShort(
      {
        format: this.#shortFormat(),
        ttbr,
        // A TTBR0 table covers 2^(32-N) bytes; TTBR1's is always whole.
        split: isUpper ? 0 : split,
        texRemap: (r.sctlr & SCTLR.TRE) !== 0,
        prrr: r.prrr,
        nmrr: r.nmrr,
        asid: this.asid,
      },
      va,
      address => this.#memory.readTableWord(address, inner, outer),
    );
  }

  #shortFormat(): 'v5' | 'v6' | 'v7' {
    const format = this.#core.tables.find(table => table !== 'lpae' && table !== 'v8');
    if (format === 'v6' && (this.registers.sctlr & SCTLR.XP) === 0) {
      throw new UnmodelledError('ARMv6 tables with subpages', 'SCTLR.XP is clear');
    }
    return format === 'v5' || format === 'v6' ? format : 'v7';
  }

  /**
   * AArch64: the narrower of what TCR.IPS permits and what the core has. LPAE: bits 47:40 of an entry
   * should be zero and are not checked. Sources: DDI 0487 D8.2.11, DDI 0406C B3.6.1.
   */
  get #outputBits(): number {
    if (!this.#is64) return LARGEST_PA_BITS;
    const ips = this.registers.tcrHigh & TCR_HIGH.ipsMask;
    return Math.min(this.#core.paBits, PA_BITS[ips] ?? LARGEST_PA_BITS);
  }

  #walkLong(va: number): WalkResult {
    const { mair0, mair1 } = this.registers;
    const region = regionOf(this.registers, this.#is64, va);
    const inner = this.#policyOf(region?.inner ?? RGN.nonCacheable);
    const outer = this.#policyOf(region?.outer ?? RGN.nonCacheable);
    return walkLong(
      {
        region,
        is64: this.#is64,
        outputBits: this.#outputBits,
        mairLow: mair0,
        mairHigh: mair1,
        asid: this.asid,
      },
      va,
      address => this.#memory.readTableWord(address, inner, outer),
    );
  }
}

const uncached = (attributes: number): number =>
  withOuter(withInner(attributes, Cacheability.none), Cacheability.none);

const isCachedTwice = (attributes: number): boolean =>
  innerOf(attributes) !== Cacheability.none && outerOf(attributes) !== Cacheability.none;

const POLICY_OF_RGN = Uint8Array.from([
  Cacheability.none,
  Cacheability.writeBackAllocate,
  Cacheability.writeThrough,
  Cacheability.writeBack,
]);

/** A region encoding of TTBR or TCR (RGN) as a cacheability. */
const policyOf = (rgn: number): Cacheability =>
  rgn === RGN.nonCacheable ? Cacheability.none : (u8(POLICY_OF_RGN, rgn) as Cacheability);
