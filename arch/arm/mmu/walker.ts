import { u8 } from '../../../drivers/base/types/arrays';
import { FaultKind } from '../../../drivers/base/types/isa';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import { is64Bit } from '../profile';
import type { CoreProfile } from '../profile';
import { ACTLR, PA_BITS, RGN, SCTLR, TCR_HIGH, TTBCR, TTBR_LONG, TTBR_SHORT } from '../regs/sysreg';
import { LEVEL_SHIFT } from '../regs/long-descriptor';
import { PAGE, SECTION } from '../regs/short-descriptor';
import { Cacheability } from './attributes';
import { longRegions, regionOf } from './long-regions';
import type { TranslationRegisters } from './registers';
import { walkFault } from './walk';
import type { WalkResult } from './walk';
import { firstLevel, walkLong } from './walk-long';
import { walkShort } from './walk-short';

/** An entry has no more (bits 47:12). */
const LARGEST_PA_BITS = 48;
const LOWER_SIZE = 2 ** 32;

/** One word of a table, read with the walk's own cacheability; null where nothing answers. */
export type ReadWalked = (
  address: number,
  inner: Cacheability,
  outer: Cacheability,
) => number | null;

/** A part of the address map that one TTBR translates. */
export interface TranslatedRegion {
  /** [start, end) of virtual addresses. */
  readonly start: number;
  readonly end: number;
  /** Bytes that an entry covers, of the level where walks begin first. */
  readonly spans: readonly number[];
  /** Bytes of an entry. */
  readonly entrySize: number;
  /** Equal for equal registers, as far as the entries depend on them; the ASID left out. */
  readonly key: string;
}

/**
 * Table walks of one CPU, as its registers are at the moment: which format, from which root, with
 * which meaning of the attributes.
 */
export class Walker {
  readonly #core: CoreProfile;
  readonly #registers: TranslationRegisters;
  readonly #is64: boolean;
  readonly #hasLpae: boolean;

  constructor(core: CoreProfile, registers: TranslationRegisters) {
    this.#core = core;
    this.#registers = registers;
    this.#is64 = is64Bit(core);
    this.#hasLpae = core.tables.includes('lpae');
  }

  /** Long descriptors are in use. */
  get isLong(): boolean {
    return this.#is64 || (this.#hasLpae && (this.#registers.tcr & TTBCR.eae) !== 0);
  }

  get asid(): number {
    const { contextidr, ttbr0High } = this.#registers;
    return this.isLong ? (ttbr0High >>> TTBR_LONG.asidShift) & 0xff : contextidr & 0xff;
  }

  /** This core takes part in coherency, or needs no leave to. Source: Cortex-A9 TRM 7.4.3. */
  get isCoherent(): boolean {
    const { multiprocessor, architecture } = this.#core;
    const asksForIt = multiprocessor && architecture === 'v7';
    return !asksForIt || (this.#registers.actlr & ACTLR.SMP) !== 0;
  }

  walk(va: number, read: ReadWalked): WalkResult {
    return this.isLong ? this.#walkLong(va, read) : this.#walkShort(va, read);
  }

  /**
   * The parts of the address map that can be walked now; none of a size or a format that is not
   * modelled, where every access is an UnmodelledError.
   */
  regions(): readonly TranslatedRegion[] {
    if (this.#core.tables.length === 0) return [];
    return this.isLong ? this.#regionsLong() : this.#regionsShort();
  }

  #walkShort(va: number, read: ReadWalked): WalkResult {
    const r = this.#registers;
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
      address => read(address, inner, outer),
    );
  }

  #walkLong(va: number, read: ReadWalked): WalkResult {
    const { mair0, mair1 } = this.#registers;
    const region = regionOf(this.#registers, this.#is64, va);
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
      address => read(address, inner, outer),
    );
  }

  #regionsShort(): readonly TranslatedRegion[] {
    const r = this.#registers;
    if (this.#isSubpaged) return [];
    const split = r.tcr & TTBCR.nMask;
    const border = LOWER_SIZE / 2 ** split;
    const meaning = [this.#shortFormat(), split, r.sctlr & SCTLR.TRE, r.prrr, r.nmrr];
    const region = (start: number, end: number, ttbr: number): TranslatedRegion => ({
      start,
      end,
      spans: [SECTION.size, PAGE.small.size],
      entrySize: 4,
      key: ['short', start, ttbr, ...meaning].join(' '),
    });
    return [
      ...((r.tcr & TTBCR.pd0) === 0 ? [region(0, border, r.ttbr0)] : []),
      ...(split > 0 && (r.tcr & TTBCR.pd1) === 0 ? [region(border, LOWER_SIZE, r.ttbr1)] : []),
    ];
  }

  #regionsLong(): readonly TranslatedRegion[] {
    const { mair0, mair1 } = this.#registers;
    const meaning = [this.#outputBits, mair0, mair1];
    return longRegions(this.#registers, this.#is64).map(({ region, start, end }) => {
      const { name, base, bits } = region;
      const spans = LEVEL_SHIFT.slice(firstLevel(bits)).map(shift => 2 ** shift);
      const key = [this.#is64 ? 'v8' : 'lpae', name, start, base, bits, ...meaning].join(' ');
      return { start, end, spans, entrySize: 8, key };
    });
  }

  get #isSubpaged(): boolean {
    return this.#core.tables.includes('v6') && (this.#registers.sctlr & SCTLR.XP) === 0;
  }

  #shortFormat(): 'v5' | 'v6' | 'v7' {
    if (this.#isSubpaged) {
      throw new UnmodelledError('ARMv6 tables with subpages', 'SCTLR.XP is clear');
    }
    const format = this.#core.tables.find(table => table !== 'lpae' && table !== 'v8');
    return format === 'v5' || format === 'v6' ? format : 'v7';
  }

  /**
   * AArch64: the narrower of what TCR.IPS permits and what the core has. LPAE: bits 47:40 of an entry
   * should be zero and are not checked. Sources: DDI 0487 D8.2.11, DDI 0406C B3.6.1.
   */
  get #outputBits(): number {
    if (!this.#is64) return LARGEST_PA_BITS;
    const ips = this.#registers.tcrHigh & TCR_HIGH.ipsMask;
    return Math.min(this.#core.paBits, PA_BITS[ips] ?? LARGEST_PA_BITS);
  }

  /** With the caches off, walks do not look into them either. */
  #policyOf(rgn: number): Cacheability {
    return (this.#registers.sctlr & SCTLR.C) === 0 ? Cacheability.none : policyOf(rgn);
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
