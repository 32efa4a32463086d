import { u8 } from '../../../drivers/base/types/arrays';
import { alignDown, join64 } from '../../../drivers/base/types/bits';
import { FaultKind, TlbOp } from '../../../drivers/base/types/isa';
import type { CoreProfile } from '../profile';
import { RGN, SCTLR, TCR, TTBCR, TTBR_LONG, TTBR_SHORT } from '../regs/sysreg';
import { DOMAIN } from '../regs/short-descriptor';
import {
  Cacheability,
  DEVICE,
  READ,
  STRONGLY_ORDERED,
  USER_READ,
  USER_WRITE,
  WRITE,
  normalMemory,
} from './attributes';
import { GLOBAL, Tlb } from './tlb';
import type { TlbEntry } from './tlb';
import type { WalkResult } from './walk';
import { walkLong } from './walk-long';
import type { LongRegion } from './walk-long';
import { walkShort } from './walk-short';

const ALL_RIGHTS = READ | WRITE | USER_READ | USER_WRITE;
const PAGE = 4096;

/** The system registers that steer translation, as software wrote them. */
export interface TranslationRegisters {
  sctlr: number;
  ttbr0: number;
  ttbr0High: number;
  ttbr1: number;
  ttbr1High: number;
  tcr: number;
  tcrHigh: number;
  dacr: number;
  prrr: number;
  nmrr: number;
  mair0: number;
  mair1: number;
  contextidr: number;
}

export const resetRegisters = (): TranslationRegisters => ({
  sctlr: 0,
  ttbr0: 0,
  ttbr0High: 0,
  ttbr1: 0,
  ttbr1High: 0,
  tcr: 0,
  tcrHigh: 0,
  dacr: 0,
  prrr: 0,
  nmrr: 0,
  mair0: 0,
  mair1: 0,
  contextidr: 0,
});

/** What the MMU asks of the memory system. */
export interface TableMemory {
  /** One word of a table, read with the walk's own cacheability; null where nothing answers. */
  readTableWord(address: number, inner: Cacheability, outer: Cacheability): number | null;
  isRam(address: number): boolean;
}

/**
 * The translation of one CPU: its registers, its TLB, and walks through memory. A translation
 * either succeeds (an entry) or leaves `faultKind` and `faultLevel`.
 */
export class Mmu {
  readonly registers = resetRegisters();
  readonly tlb: Tlb;
  faultKind: FaultKind = FaultKind.None;
  faultLevel = 0;
  /** Walks done, for the cost figures. */
  walks = 0;

  readonly #core: CoreProfile;
  readonly #is64: boolean;
  readonly #hasLpae: boolean;
  readonly #memory: TableMemory;

  constructor(core: CoreProfile, memory: TableMemory, tlbCapacity: number) {
    this.#core = core;
    this.#is64 = core.architecture === 'v8';
    this.#hasLpae = core.tables.includes('lpae');
    this.#memory = memory;
    this.tlb = new Tlb(tlbCapacity);
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

  /** The memory attributes and the rights of an access, domains applied; 0 rights on NoAccess. */
  effectiveAttributes(entry: TlbEntry): number {
    if (this.#isLong || !this.isOn) return entry.attributes;
    switch ((this.registers.dacr >>> (entry.domain * 2)) & 3) {
      case DOMAIN.manager:
        return entry.attributes | ALL_RIGHTS;
      case DOMAIN.client:
        return entry.attributes;
      default:
        return entry.attributes & ~ALL_RIGHTS;
    }
  }

  /** True if the domain of the entry forbids everything: the fault is then a domain fault. */
  isDomainFault(entry: TlbEntry): boolean {
    if (this.#isLong || !this.isOn) return false;
    const access = (this.registers.dacr >>> (entry.domain * 2)) & 3;
    return access !== DOMAIN.client && access !== DOMAIN.manager;
  }

  walk(va: number): WalkResult {
    this.walks++;
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
    const base = alignDown(va, PAGE);
    return {
      va: base,
      span: PAGE,
      pa: base,
      attributes: attributes | ALL_RIGHTS,
      domain: 0,
      asid: GLOBAL,
    };
  }

  #walkShort(va: number): WalkResult {
    const r = this.registers;
    const format = this.#core.tables.find(table => table !== 'lpae' && table !== 'v8');
    const upper = (r.tcr & TTBCR.nMask) > 0 && Math.floor(va / 2 ** (32 - (r.tcr & 7))) !== 0;
    const ttbr = upper ? r.ttbr1 : r.ttbr0;
    const inner = ((ttbr & TTBR_SHORT.irgn0) !== 0 ? 1 : 0) | ((ttbr & TTBR_SHORT.irgn1) << 1);
    const outer = (ttbr >>> TTBR_SHORT.rgnShift) & 3;
    return walkShort(
      {
        format: format === 'v5' || format === 'v6' ? format : 'v7',
        ttbr0: r.ttbr0,
        ttbr1: r.ttbr1,
        split: r.tcr & TTBCR.nMask,
        texRemap: (r.sctlr & SCTLR.TRE) !== 0,
        prrr: r.prrr,
        nmrr: r.nmrr,
        asid: this.asid,
      },
      va,
      address => this.#memory.readTableWord(address, policyOf(inner), policyOf(outer)),
    );
  }

  #walkLong(va: number): WalkResult {
    const r = this.registers;
    const bits64 = this.#is64;
    const lower = this.#region(r.ttbr0, r.ttbr0High, TCR.t0szShift, TCR.epd0, bits64);
    const upper = this.#region(r.ttbr1, r.ttbr1High, TCR.t1szShift, TCR.epd1, bits64);
    const isUpper = upper.bits > 0 && va >= (bits64 ? 2 ** 52 : 2 ** 32) - 2 ** upper.bits;
    const irgn = (r.tcr >>> (isUpper ? TCR.irgn1Shift : TCR.irgn0Shift)) & 3;
    const orgn = (r.tcr >>> (isUpper ? TCR.orgn1Shift : TCR.orgn0Shift)) & 3;
    return walkLong(
      { bits64, lower, upper, mairLow: r.mair0, mairHigh: r.mair1, asid: this.asid },
      va,
      address => this.#memory.readTableWord(address, policyOf(irgn), policyOf(orgn)),
    );
  }

  #region(
    low: number,
    high: number,
    sizeShift: number,
    disable: number,
    bits64: boolean,
  ): LongRegion {
    const tcr = this.registers.tcr;
    const size = (tcr >>> sizeShift) & (2 ** (bits64 ? TCR.tszBits : TCR.tszBitsLpae) - 1);
    const bits = (tcr & disable) !== 0 ? 0 : (bits64 ? 64 : 32) - size;
    const table = join64(low & ~0xfff, high & TTBR_LONG.baseHighMask);
    // LPAE with T0SZ = T1SZ = 0: everything goes through TTBR0.
    const unused = !bits64 && sizeShift === TCR.t1szShift && bits === 32;
    return { table, bits: unused ? 0 : Math.min(bits, 48) };
  }
}

const POLICY_OF_RGN = Uint8Array.from([
  Cacheability.none,
  Cacheability.writeBackAllocate,
  Cacheability.writeThrough,
  Cacheability.writeBack,
]);

/** A region encoding of TTBR or TCR (RGN) as a cacheability. */
const policyOf = (rgn: number): Cacheability =>
  rgn === RGN.nonCacheable ? Cacheability.none : (u8(POLICY_OF_RGN, rgn) as Cacheability);
