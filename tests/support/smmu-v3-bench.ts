import type { DmaPort } from '../../drivers/base/hw/dma-port';
import type { RefusedAccess, StaleEntry } from '../../drivers/base/hw/iommu';
import { IrqLine } from '../../drivers/base/hw/irq';
import { TxResult } from '../../drivers/base/hw/mmio';
import { ioRegisters } from '../../drivers/base/kernel/registers';
import { dmaAddr, ticks } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  abortSte,
  bypassSte,
  cdTableSte,
  stage1Cd,
  stage2Ste,
} from '../../drivers/iommu/arm-smmu-v3/driver/entries';
import type { EntryOptions } from '../../drivers/iommu/arm-smmu-v3/driver/entries';
import { SmmuV3 } from '../../drivers/iommu/arm-smmu-v3/model';
import { ASSUMED_FEATURES } from '../../drivers/iommu/arm-smmu-v3/model/features';
import { SMMU_V3, STRTAB_FORMAT } from '../../drivers/iommu/arm-smmu-v3/regs';
import { COMMAND } from '../../drivers/iommu/arm-smmu-v3/regs/commands';
import { EVENT } from '../../drivers/iommu/arm-smmu-v3/regs/events';
import { L1_STREAM, STE } from '../../drivers/iommu/arm-smmu-v3/regs/tables';
import type { Words } from '../../drivers/iommu/arm-smmu-v3/regs/words';
import { ENTRY_TYPE, HIGH, LOW } from '../../drivers/iommu/regs/lpae';
import { DeviceBus } from './device-bus';
import { DmaBench, RAM_BASE } from './dma-bench';

/** Where things are: all but the last table in the first page of memory. */
export const AT = {
  streams: RAM_BASE,
  cd: RAM_BASE + 0x140,
  /** A table of level 2 with 16 entries: 32 MiB of input addresses. */
  root: RAM_BASE + 0x200,
  commands: RAM_BASE + 0x400,
  events: RAM_BASE + 0x600,
  message: RAM_BASE + 0x700,
  data: RAM_BASE + 0x800,
  secondStreams: RAM_BASE + 0xc00,
  pages: RAM_BASE + PAGE_SIZE,
} as const;

export const LOG2_STREAMS = 2;
export const LOG2_COMMANDS = 4;
export const LOG2_EVENTS = 2;
export const SID = 1;
export const ASID = 5;
export const VMID = 3;

const OPTIONS: EntryOptions = { stallsExist: true, mayStall: false, attributesOverride: true };
const WALK = { sh: 3, irgn: 1, orgn: 1, tg: 0, tsz: 39 };

export interface SmmuV3BenchOptions {
  readonly isChecked?: boolean;
  readonly tlbEntries?: number;
}

/** An SMMUv3 with two pages of memory, and all that it tells. */
export class SmmuV3Silicon {
  readonly bench = new DmaBench();
  readonly guestErrors: string[] = [];
  readonly stale: StaleEntry[] = [];
  readonly refused: RefusedAccess[] = [];
  /** Names of interrupts, one for each edge. */
  readonly interrupts: string[] = [];
  readonly model: SmmuV3;

  constructor({ isChecked = false, tlbEntries = 4 }: SmmuV3BenchOptions = {}) {
    const names = ['eventq', 'gerror', 'cmdq-sync'] as const;
    const irqs = names.map(name => {
      const line = new IrqLine(name);
      line.connect(level => {
        if (level) this.interrupts.push(name);
      });
      return [name, line];
    });
    this.model = new SmmuV3({
      name: 'smmu',
      features: { ...ASSUMED_FEATURES, coherent: false, mostStalled: 2 },
      memory: this.bench.memory,
      irqs: Object.fromEntries(irqs) as Partial<Record<(typeof names)[number], IrqLine>>,
      events: this.bench.events,
      isChecked,
      tlbEntries,
      onGuestError: text => this.guestErrors.push(text),
      onStale: stale => this.stale.push(stale) < 0,
      onRefused: refused => this.refused.push(refused),
    });
  }
}

/** The same on a bus, with what a driver would have in its memory. */
export class SmmuV3Bench extends SmmuV3Silicon {
  readonly bus = new DeviceBus(this.model);
  readonly regs = ioRegisters(SMMU_V3, this.bus.io, this.bus.baseOf(0));
  #producer = 0;

  pass(nanoseconds: number): void {
    this.bench.events.advanceTo(ticks(this.bench.events.now + nanoseconds));
  }

  put(at: number, words: Words): void {
    words.forEach((word, i) => {
      this.bench.poke(
        at + 4 * i,
        [0, 8, 16, 24].map(shift => (word >>> shift) & 0xff),
      );
    });
  }

  words(at: number, count: number): Words {
    return Uint32Array.from({ length: count }, (_, i) =>
      this.bench.ram.readWord(this.bench.ram.wordOf(at + 4 * i)),
    );
  }

  /** Queues, a stream table of one level, and both on; no stream has anything. */
  start(): this {
    const { regs } = this;
    regs.STRTAB_BASE_LO.write(AT.streams);
    regs.STRTAB_BASE_CFG.write({ LOG2SIZE: LOG2_STREAMS, FMT: STRTAB_FORMAT.Linear });
    regs.CMDQ_BASE_LO.write(AT.commands + LOG2_COMMANDS);
    regs.EVENTQ_BASE_LO.write(AT.events + LOG2_EVENTS);
    regs.CR2.write({ RECINVSID: 1 });
    regs.IRQ_CTRL.write({ EVENTQ_IRQEN: 1, GERROR_IRQEN: 1 });
    regs.CR0.write({ CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 });
    this.pass(100);
    return this;
  }

  ste(words: Words, sid = SID): this {
    this.put(AT.streams + STE.SIZE * sid, words);
    return this;
  }

  /** The stream is translated by stage 1; its CD may be changed before. */
  stage1(change: (cd: Words) => void = () => undefined, mayStall = false): this {
    const options = { ...OPTIONS, mayStall };
    const config = { ttbr: AT.root, tcr: { ...WALK, ips: 5 }, mair: 0, mairHigh: 0 };
    const cd = stage1Cd(config, ASID, options);
    change(cd);
    this.put(AT.cd, cd);
    return this.ste(cdTableSte(AT.cd, options));
  }

  stage2(change: (ste: Words) => void = () => undefined, mayStall = false): this {
    const config = { vttbr: AT.root, vtcr: { ...WALK, ps: 5, sl: 0 } };
    const ste = stage2Ste(config, VMID, { ...OPTIONS, mayStall });
    change(ste);
    return this.ste(ste);
  }

  bypass(): this {
    return this.ste(bypassSte(OPTIONS));
  }

  abort(): this {
    return this.ste(abortSte());
  }

  /** The same streams as a table of two levels, of which the first entry has this span. */
  twoLevels(span: number): this {
    const l1 = new Uint32Array(2);
    L1_STREAM.SPAN.put(l1, span);
    L1_STREAM.L2PTR.put(l1, AT.secondStreams);
    this.put(AT.secondStreams, this.words(AT.streams, 64));
    this.put(AT.streams, new Uint32Array(64));
    this.put(AT.streams, l1);
    this.regs.CR0.write({ CMDQEN: 1, EVENTQEN: 1 });
    this.pass(100);
    const fields = { LOG2SIZE: 10, SPLIT: 8, FMT: STRTAB_FORMAT.TwoLevel };
    this.regs.STRTAB_BASE_CFG.write(fields);
    this.regs.CR0.write({ CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 });
    this.pass(100);
    return this;
  }

  /** Input page `page` leads to this page of memory, or nowhere. */
  page(page: number, to: number | null, { write = true, accessed = true, stage = 1 } = {}): this {
    const table = LOW.TYPE.at(ENTRY_TYPE.table) + AT.pages;
    this.put(AT.root, Uint32Array.of(table, 0));
    const rights =
      stage === 1
        ? LOW.USER.at(1) + LOW.READ_ONLY.at(write ? 0 : 1) + LOW.NG.at(1)
        : LOW.READ.at(1) + LOW.WRITE.at(write ? 1 : 0);
    const low =
      to === null ? 0 : LOW.TYPE.at(ENTRY_TYPE.page) + LOW.AF.at(accessed ? 1 : 0) + rights + to;
    this.put(AT.pages + 8 * page, Uint32Array.of(low, HIGH.ADDRESS.at(0)));
    return this;
  }

  port(sid = SID, timing: 'earliest' | 'latest' = 'latest'): DmaPort {
    return this.bench.port({ iommu: this.model.stream([sid], 'master'), timing });
  }

  /** Four bytes, or what the bus says. */
  read(address: number, sid = SID): number | number[] {
    const into = new Uint8Array(4);
    const result = this.port(sid).read(dmaAddr(address), 4, into);
    return result === TxResult.Ok ? [...into] : result;
  }

  /** Writes commands and lets them be carried out, as far as they are. */
  command(...commands: readonly Words[]): void {
    for (const command of commands) {
      const slot = this.#producer % 2 ** LOG2_COMMANDS;
      this.put(AT.commands + COMMAND.SIZE * slot, command);
      this.#producer = (this.#producer + 1) % 2 ** (LOG2_COMMANDS + 1);
    }
    this.regs.CMDQ_PROD.write({ WR: this.#producer });
    this.pass(20 * commands.length);
  }

  /** Records in the event queue, which are then taken out. */
  events(): Words[] {
    const { WR } = this.regs.EVENTQ_PROD.read();
    const { OVFLG } = this.regs.EVENTQ_PROD.read();
    let { RD } = this.regs.EVENTQ_CONS.read();
    const records: Words[] = [];
    for (; RD !== WR; RD = (RD + 1) % 2 ** (LOG2_EVENTS + 1)) {
      records.push(this.words(AT.events + EVENT.SIZE * (RD % 2 ** LOG2_EVENTS), EVENT.WORDS));
    }
    this.regs.EVENTQ_CONS.write({ RD, OVACKFLG: OVFLG });
    return records;
  }
}

/** What is in memory at AT.data, which input page 1 leads to: at AT_DATA. */
export const DATA = [1, 2, 3, 4];
export const DATA_PAGE = RAM_BASE;
export const AT_DATA = PAGE_SIZE + AT.data - DATA_PAGE;

/** One that is on, with data. */
export const running = (options?: SmmuV3BenchOptions): SmmuV3Bench => {
  const made = new SmmuV3Bench(options).start();
  made.bench.poke(AT.data, DATA);
  return made;
};

/** One whose stream is translated by stage 1. */
export const translating = (options?: SmmuV3BenchOptions): SmmuV3Bench =>
  running(options).stage1().page(1, DATA_PAGE);
