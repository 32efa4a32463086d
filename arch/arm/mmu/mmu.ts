import { PAGE_SIZE, alignDown } from '../../../drivers/base/types/bits';
import { BenchError } from '../../../drivers/base/types/errors';
import { FaultKind, TlbOp } from '../../../drivers/base/types/isa';
import { memberState } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import type { CoreProfile } from '../profile';
import { ACTLR, SCTLR } from '../regs/sysreg';
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
import { resetRegisters, restoreRegisters } from './registers';
import { GLOBAL, Tlb } from './tlb';
import type { TlbEntry } from './tlb';
import type { WalkResult } from './walk';
import { Walker } from './walker';
import type { ReadWalked, TranslatedRegion } from './walker';

const ALL_RIGHTS = READ | WRITE | USER_READ | USER_WRITE;

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
  readonly #walker: Walker;
  #attached: WalkMemory | null = null;
  readonly #readWord: ReadWalked = (address, inner, outer) =>
    this.#memory.readTableWord(address, inner, outer);

  constructor(core: CoreProfile, tlbCapacity: number) {
    this.#core = core;
    this.#walker = new Walker(core, this.registers);
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
    return this.#walker.asid;
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
    if (this.#walker.isLong || !this.isOn) return cached;
    switch ((this.registers.dacr >>> (entry.domain * 2)) & 3) {
      case DOMAIN.manager:
        return cached | ALL_RIGHTS;
      case DOMAIN.client:
        return cached;
      default:
        return cached & ~ALL_RIGHTS;
    }
  }

  /** This core takes part in coherency, or needs no leave to. */
  get isCoherent(): boolean {
    return this.#walker.isCoherent;
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
    if (this.#walker.isLong || !this.isOn) return false;
    const access = (this.registers.dacr >>> (entry.domain * 2)) & 3;
    return access !== DOMAIN.client && access !== DOMAIN.manager;
  }

  /** The level of the walk that found an entry, by what it covers; 0 while translation is off. */
  levelOf({ span }: TlbEntry): number {
    if (!this.isOn) return 0;
    if (this.#walker.isLong) return 3 - Math.floor((Math.log2(span) - 12) / 9);
    return span >= SECTION.size ? 1 : 2;
  }

  /** As an access walks; `read` reads the tables instead, with no effect on anything. */
  walk(va: number, read: ReadWalked = this.#readWord): WalkResult {
    return this.#walker.walk(va, read);
  }

  /** The parts of the address map that walks translate now. */
  regions(): readonly TranslatedRegion[] {
    return this.#walker.regions();
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
}

const uncached = (attributes: number): number =>
  withOuter(withInner(attributes, Cacheability.none), Cacheability.none);

const isCachedTwice = (attributes: number): boolean =>
  innerOf(attributes) !== Cacheability.none && outerOf(attributes) !== Cacheability.none;
