import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaMemory } from '../../base/hw/dma-memory';
import type { IommuAnswer, IommuHook } from '../../base/hw/dma-port';
import type { RefusalCause, RefusedAccess, StaleEntrySink, TableUse } from '../../base/hw/iommu';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import { registerFile } from '../../base/hw/register-file';
import type { RegisterFile } from '../../base/hw/register-file';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { Stall } from '../../base/hw/stall';
import { PAGE_SIZE } from '../../base/types/bits';
import { invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { ReusedAnswer } from '../hw/answer';
import { LARGE_PAGE, SECTION, SUPERSECTION } from '../regs/omap';
import { OMAP_WORDS } from '../walk/omap';
import { TwoLevelWalker } from '../walk/two-level';
import { WalkFault } from '../walk/types';
import type { WalkedEntry } from '../walk/types';
import { MISS, MULTI_HIT, OmapTlb } from './model/tlb';
import { OMAP_IOMMU, PageSize } from './regs';

/** What an OMAP IOMMU is wired to. */
export interface OmapIommuPorts {
  readonly name: string;
  readonly memory: DmaMemory;
  readonly irq: IrqLine;
  readonly tlbEntries: number;
  /** Bytes of registers: those of the sheet, or fewer. */
  readonly windowSize: number;
  /** GP_REG is there. */
  readonly hasBusErrorBack: boolean;
  readonly isChecked: boolean;
  readonly onGuestError: GuestErrorSink;
  readonly onStale: StaleEntrySink;
  readonly onRefused: (refused: RefusedAccess) => void;
}

const STREAM = 0;
const { CAM, RAM } = OMAP_IOMMU.registers;

type Fault = 'TLB_MISS' | 'TRANSLATION_FAULT' | 'TABLE_WALK_FAULT' | 'MULTI_HIT';

const CAUSES: Readonly<Record<Fault, RefusalCause>> = {
  TLB_MISS: 'translation',
  TRANSLATION_FAULT: 'translation',
  TABLE_WALK_FAULT: 'walk',
  MULTI_HIT: 'configuration',
};

const sizeField = (bytes: number): number => {
  if (bytes === SUPERSECTION) return PageSize.Super;
  if (bytes === SECTION) return PageSize.Section;
  return bytes === LARGE_PAGE ? PageSize.Large : PageSize.Small;
};

/**
 * The MMU of an OMAP's coprocessor or camera. Registers: regs.ts. What it keeps is its TLB, which
 * software sees: it is the same on a checked machine, where the table is looked at too.
 */
export class OmapIommu extends Device {
  readonly reset: ResetNode;
  readonly #ports: OmapIommuPorts;
  readonly #regs: RegisterFile<typeof OMAP_IOMMU>;
  readonly #tlb: OmapTlb;
  readonly #walker: TwoLevelWalker;
  readonly #unseen: TwoLevelWalker;
  readonly #answer = new ReusedAnswer();
  readonly #access = { master: '', address: 0, write: false };
  /** Whoever waits for software's answer to a fault. */
  readonly #waiting: Stall[] = [];

  constructor(ports: OmapIommuPorts) {
    super(ports.name);
    this.#ports = ports;
    this.#tlb = new OmapTlb(ports.tlbEntries);
    this.#walker = new TwoLevelWalker(ports.memory, OMAP_WORDS);
    this.#unseen = new TwoLevelWalker(ports.memory.unseen, OMAP_WORDS);
    this.#regs = this.#makeRegisters();
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      hold: () => {
        ports.irq.set(false);
      },
      exit: () => {
        this.#softReset();
      },
    });
  }

  /** What the transactions of a master pass on their way; it has no cells. */
  stream(_cells: readonly number[], master: string): IommuHook {
    const access = this.#access;
    return {
      mayStall: true,
      translate: (address, write) => {
        access.master = master;
        access.address = address;
        access.write = write;
        return this.#translate(address);
      },
    };
  }

  /** By what a walk may come to a table that begins in these bytes; steps of walks are not kept. */
  walksInto(start: number, size: number): TableUse | null {
    const { CNTL, TTB } = this.#regs;
    const isRoot = TTB.value >= start && TTB.value < start + size;
    return CNTL.ENABLE === 1 && CNTL.WALK === 1 && isRoot ? 'root' : null;
  }

  saveState(): StateValue {
    invariant(this.#waiting.length === 0, `${this.name}: a snapshot while somebody waits`);
    return { registers: this.#regs.saveState(), tlb: this.#tlb.saveState() };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    this.#regs.restoreState(reader.value('registers'));
    this.#tlb.restoreState(reader.value('tlb'));
    this.#ports.irq.restore(this.#irqLevel());
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, this.#ports.windowSize, this.#regs)];
  }

  #makeRegisters(): RegisterFile<typeof OMAP_IOMMU> {
    const { LD_TLB, GFLUSH, FLUSH_ENTRY, SYSCONFIG } = OMAP_IOMMU.registers;
    const victim = (): number => this.#regs.LOCK.VICTIM;
    return registerFile(OMAP_IOMMU, {
      onGuestError: this.#ports.onGuestError,
      onWrite: {
        SYSCONFIG: written => {
          if (SYSCONFIG.fields.SOFT_RESET.of(written) === 1) this.#softReset();
        },
        IRQSTATUS: () => {
          this.#updateIrq();
          this.#resume();
        },
        IRQENABLE: () => {
          this.#updateIrq();
        },
        CNTL: () => {
          if (this.#regs.CNTL.ENABLE === 0) this.#resume();
        },
        LOCK: (_written, previous) => {
          this.#checkLock(previous);
        },
        LD_TLB: written => {
          if (LD_TLB.fields.GO.of(written) === 0) return;
          this.#tlb.load(victim(), this.#regs.CAM.value, this.#regs.RAM.value, false);
        },
        GFLUSH: written => {
          if (GFLUSH.fields.GO.of(written) === 1) this.#tlb.flush(false);
        },
        FLUSH_ENTRY: written => {
          if (FLUSH_ENTRY.fields.GO.of(written) === 1) this.#tlb.flushEntry(this.#regs.CAM.value);
        },
        GP_REG: (_written, previous) => {
          if (this.#ports.hasBusErrorBack) return;
          this.#ports.onGuestError(`${this.name}.GP_REG: this one does not have it`);
          this.#regs.GP_REG.value = previous;
        },
      },
      onRead: {
        READ_CAM: () => this.#tlb.camAt(victim()),
        READ_RAM: () => this.#tlb.ramAt(victim()),
      },
    });
  }

  #translate(address: number): IommuAnswer | null {
    const { CNTL, TTB } = this.#regs;
    if (CNTL.ENABLE === 0) return null;
    const tlb = this.#tlb;
    const hit = address < 2 ** 32 ? tlb.find(address) : MISS;
    if (hit === MULTI_HIT) return this.#fault('MULTI_HIT', address);
    if (hit !== MISS && !this.#isOverlooked(hit, address)) {
      return this.#answer.passes(tlb.leads(hit, address), tlb.left(hit, address));
    }
    if (CNTL.WALK === 0) return this.#fault('TLB_MISS', address);
    const fault = this.#walker.translate(TTB.value, address, null);
    if (fault === WalkFault.External) return this.#fault('TABLE_WALK_FAULT', address);
    if (fault !== WalkFault.None) return this.#fault('TRANSLATION_FAULT', address);
    const { walk } = this.#walker;
    if (hit === MISS) this.#replace(walk);
    const inPage = address - walk.start;
    return this.#answer.passes(walk.leads + inPage, walk.size - inPage);
  }

  /**
   * On a checked machine: the entry came from the table, which has something else now, and that is
   * used.
   */
  #isOverlooked(index: number, address: number): boolean {
    if (!this.#ports.isChecked || !this.#tlb.isWalked(index)) return false;
    const walker = this.#unseen;
    const fault = walker.translate(this.#regs.TTB.value, address, null);
    const { leads, start } = walker.walk;
    const newer = fault === WalkFault.None ? leads + (address - start) : null;
    const older = this.#tlb.leads(index, address);
    if (older === newer) return false;
    return !this.#ports.onStale({ ...this.#whose(), what: 'translation', older, newer });
  }

  /** What a walk found takes the victim's place; the next one is beyond it. */
  #replace({ start, size, leads }: WalkedEntry): void {
    const { LOCK } = this.#regs;
    const { VALID, SIZE, TAG } = CAM.fields;
    const cam = TAG.at(start / PAGE_SIZE) + VALID.at(1) + SIZE.at(sizeField(size));
    const victim = LOCK.VICTIM;
    this.#tlb.load(victim, cam, RAM.fields.ADDRESS.at(leads / PAGE_SIZE), true);
    LOCK.VICTIM = victim + 1 < this.#tlb.entries ? victim + 1 : LOCK.BASE;
  }

  /** A bus error, or it waits until IRQSTATUS is written, and is tried again then. */
  #fault(fault: Fault, address: number): IommuAnswer {
    const { IRQSTATUS, FAULT_AD, GP_REG } = this.#regs;
    const length = PAGE_SIZE - (address % PAGE_SIZE);
    const isRefused = GP_REG.BUS_ERROR_BACK === 1;
    FAULT_AD.value = address % 2 ** 32;
    IRQSTATUS[fault] = 1;
    if (isRefused) this.#ports.onRefused({ ...this.#whose(), cause: CAUSES[fault] });
    this.#updateIrq();
    if (isRefused) return this.#answer.refuses(length);
    const stall = new Stall();
    this.#waiting.push(stall);
    return this.#answer.waits(stall, length);
  }

  #checkLock(previous: number): void {
    const { LOCK } = this.#regs;
    const { entries } = this.#tlb;
    if (LOCK.VICTIM < entries && LOCK.BASE < entries) return;
    this.#ports.onGuestError(`${this.name}.LOCK: an entry beyond ${entries - 1}`);
    LOCK.value = previous;
  }

  #softReset(): void {
    this.#regs.reset();
    this.#tlb.flush(true);
    this.#updateIrq();
    this.#resume();
  }

  #resume(): void {
    for (const stall of this.#waiting.splice(0)) stall.end('retry');
  }

  #whose(): Omit<RefusedAccess, 'cause'> {
    return { iommu: this.name, stream: STREAM, ...this.#access };
  }

  #updateIrq(): void {
    this.#ports.irq.set(this.#irqLevel());
  }

  #irqLevel(): boolean {
    return (this.#regs.IRQSTATUS.value & this.#regs.IRQENABLE.value) !== 0;
  }
}
