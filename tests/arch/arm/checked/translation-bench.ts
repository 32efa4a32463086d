import { Translations } from '../../../../arch/arm/checked/translations';
import { coreNamed } from '../../../../arch/arm/cores';
import { Mmu } from '../../../../arch/arm/mmu/mmu';
import { ACTLR, SCTLR, TCR, TTBCR } from '../../../../arch/arm/regs/sysreg';
import type { CoreProfile } from '../../../../arch/arm/profile';
import { Ram, RamBlock } from '../../../../drivers/base/hw/ram';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { invariant } from '../../../../drivers/base/types/errors';
import type {
  HardwareObserver,
  Mismatch,
  StaleTranslation,
} from '../../../../drivers/base/types/observer';

export type Format = 'v5' | 'v6' | 'v7' | 'lpae' | 'v8';

/** RAM of 64 MiB; tables at its start, data in the upper half. */
export const RAM = 0x8000_0000;
const RAM_SIZE = 0x400_0000;
export const DATA = RAM + RAM_SIZE / 2;

const CORES: Readonly<Record<Format, string>> = {
  v5: 'arm926ej-s',
  v6: 'arm1176jzf-s',
  v7: 'cortex-a9',
  lpae: 'cortex-a15',
  v8: 'cortex-a53',
};

/** The format's registers beside the roots, with MMU and caches on. */
const REGISTERS: Readonly<Record<Format, Partial<Mmu['registers']>>> = {
  v5: { sctlr: SCTLR.M | SCTLR.C, dacr: 1 },
  v6: { sctlr: SCTLR.M | SCTLR.C | SCTLR.XP, dacr: 1 },
  v7: { sctlr: SCTLR.M | SCTLR.C, actlr: ACTLR.SMP | ACTLR.FW, dacr: 1 },
  lpae: {
    sctlr: SCTLR.M | SCTLR.C,
    actlr: ACTLR.SMP | ACTLR.FW,
    // Both TTBRs: T1SZ of 1.
    tcr: TTBCR.eae | (1 << TCR.t1szShift),
    mair0: 0xbb44_0400 | 0,
    mair1: 0xff,
  },
  v8: {
    sctlr: SCTLR.M | SCTLR.C,
    tcr: (16 << TCR.t0szShift) | (16 << TCR.t1szShift) | (2 << TCR.tg1Shift),
    tcrHigh: 5,
    mair0: 0xbb44_0400 | 0,
    mair1: 0xff,
  },
};

/** CPUs with MMUs over plain RAM, and the translations that are live on them. */
export class TranslationBench {
  readonly format: Format;
  readonly profile: CoreProfile;
  readonly ram: Ram;
  readonly cpus: readonly { readonly profile: CoreProfile; readonly mmu: Mmu }[];
  readonly translations: Translations;
  /** What was told. */
  readonly live = new Map<number, number>();
  readonly tables = new Set<number>();
  readonly mismatches: Mismatch[] = [];
  readonly stale: StaleTranslation[] = [];
  changes = 0;

  constructor(format: Format, cpus = 1, core: CoreProfile = coreNamed(CORES[format])) {
    this.format = format;
    this.profile = core;
    const block = new RamBlock('ram', RAM_SIZE);
    const first = RAM / PAGE_SIZE;
    this.ram = new Ram(page =>
      page >= first && page < first + RAM_SIZE / PAGE_SIZE
        ? { block, blockPage: page - first }
        : null,
    );
    this.cpus = Array.from({ length: cpus }, () => {
      const mmu = new Mmu(core, 8);
      mmu.attach({
        readTableWord: address => this.word(address),
        isRam: address => this.ram.wordOf(address) >= 0,
      });
      return { profile: core, mmu };
    });
    const listener = {
      liveChanged: (frame: number, live: number): void => {
        this.live.set(frame, live);
      },
      tableChanged: (frame: number, isTable: boolean): void => {
        invariant(this.tables.has(frame) !== isTable, 'told what was known');
        if (isTable) this.tables.add(frame);
        else this.tables.delete(frame);
      },
      translationsChanged: (): void => {
        this.changes++;
      },
    };
    const { ram } = this;
    this.translations = new Translations({
      cpus: this.cpus,
      ram,
      listener,
      observer: () => this.observer,
      now: () => 7,
    });
  }

  /** Registers of a CPU at once, those of the format first. */
  start(cpu: number, registers: Partial<Mmu['registers']>): void {
    this.write(cpu, { ...REGISTERS[this.format], ...registers });
  }

  write(cpu: number, registers: Partial<Mmu['registers']>): void {
    Object.assign(this.mmu(cpu).registers, registers);
    this.translations.registerWritten(cpu);
  }

  mmu(cpu: number): Mmu {
    const found = this.cpus[cpu];
    invariant(found !== undefined, `there is no CPU ${cpu}`);
    return found.mmu;
  }

  word(address: number): number | null {
    const word = this.ram.wordOf(address);
    return word < 0 ? null : this.ram.readWord(word);
  }

  /** A CPU stores a word of a table, or the two of a long entry. */
  store(cpu: number, address: number, low: number, high = 0): void {
    this.ram.writeWord(this.ram.wordOf(address), low);
    const isLong = this.format === 'lpae' || this.format === 'v8';
    if (isLong) this.ram.writeWord(this.ram.wordOf(address + 4), high);
    this.translations.tableStored(cpu, address);
  }

  frameAt(pa: number): number {
    return this.ram.frameOf(pa / PAGE_SIZE);
  }

  liveAt(pa: number): number {
    return this.translations.liveOf(this.frameAt(pa));
  }

  get observer(): HardwareObserver {
    return {
      verdict: () => undefined,
      mismatch: mismatch => this.mismatches.push(mismatch),
      staleTranslation: stale => this.stale.push(stale),
      cpuTouches: () => undefined,
      deviceTouches: () => undefined,
      transferBegins: () => undefined,
      transferActs: () => undefined,
      transferEnds: () => undefined,
    };
  }
}
