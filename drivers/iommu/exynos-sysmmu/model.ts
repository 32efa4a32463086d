import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaMemory } from '../../base/hw/dma-memory';
import type { IommuAnswer, IommuHook } from '../../base/hw/dma-port';
import type {
  KeptKind,
  RefusalCause,
  RefusedAccess,
  StaleEntrySink,
  TableUse,
} from '../../base/hw/iommu';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { Stall } from '../../base/hw/stall';
import { PAGE_SIZE } from '../../base/types/bits';
import { invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { ReusedAnswer } from '../hw/answer';
import { EveryKept, LruKept, overlaps } from '../hw/kept';
import type { Kept } from '../hw/kept';
import { Lookup } from '../hw/lookup';
import { staleSink } from '../hw/stale';
import { EXYNOS_V5_WORDS, EXYNOS_WORDS } from '../walk/exynos';
import { TwoLevelWalker } from '../walk/two-level';
import { WalkFault, permits } from '../walk/types';
import { sysmmuRegisters } from './model/registers';
import type { SysmmuFault, SysmmuRegisters } from './model/registers';
import { SYSMMU, majorOf, sysmmuVersion } from './regs';

/** What a SYSMMU is wired to. */
export interface SysmmuPorts {
  readonly name: string;
  /** As sysmmuVersion() makes it. */
  readonly version: number;
  readonly memory: DmaMemory;
  readonly irq: IrqLine;
  readonly isChecked: boolean;
  readonly tlbEntries: number;
  readonly onGuestError: GuestErrorSink;
  readonly onStale: StaleEntrySink;
  readonly onRefused: (refused: RefusedAccess) => void;
}

const CONTEXT = 0;
const STREAM = 0;
/** The first version that can keep first-level entries. */
const FLPD_CACHE = sysmmuVersion(3, 2);
const { ENABLE, BLOCK, INTERRUPT } = SYSMMU.registers.CTRL.fields;
const CHECKS_RIGHTS = SYSMMU.registers.CFG.fields.ACCESS_PROTECTION;

/** A System MMU of Exynos, in front of one port of one master. Registers: regs.ts. */
export class Sysmmu extends Device {
  readonly reset: ResetNode;
  readonly #ports: SysmmuPorts;
  readonly #regs: SysmmuRegisters;
  readonly #walker: TwoLevelWalker;
  readonly #lookup: Lookup;
  readonly #answer = new ReusedAnswer();
  readonly #access = { master: '', address: 0, write: false };
  /** Whoever waits for the end of a block. */
  readonly #waiting: Stall[] = [];

  constructor(ports: SysmmuPorts) {
    super(ports.name);
    this.#ports = ports;
    const { memory, isChecked, tlbEntries, version } = ports;
    const words = majorOf(version) < 5 ? EXYNOS_WORDS : EXYNOS_V5_WORDS;
    const kept = (): Kept => (isChecked ? new EveryKept() : new LruKept(tlbEntries));
    this.#walker = new TwoLevelWalker(memory, words);
    const unseen = new TwoLevelWalker(memory.unseen, words);
    const noSteps = new LruKept(0);
    this.#lookup = new Lookup(
      {
        translations: kept(),
        steps: version >= FLPD_CACHE ? [kept(), noSteps] : [noSteps, noSteps],
      },
      staleSink(this.#access, (what, older, newer) => this.#stale(what, older, newer)),
      (_context, address) => {
        if (ENABLE.of(this.#regs.ctrl) === 0) return null;
        unseen.translate(this.#regs.root, address, null);
        return unseen.walk;
      },
    );
    this.#regs = this.#makeRegisters();
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      hold: () => {
        ports.irq.set(false);
      },
      exit: () => {
        this.#regs.handler.reset();
        this.#lookup.clear();
        this.#resume();
      },
    });
  }

  /** What the transactions of its master pass on their way; it has no cells. */
  stream(_cells: readonly number[], master: string): IommuHook {
    const access = this.#access;
    return {
      mayStall: true,
      translate: (address, write) => {
        access.master = master;
        access.address = address;
        access.write = write;
        return this.#translate(address, write);
      },
    };
  }

  /** By what a walk may come to a table that begins in these bytes; null: by nothing. */
  walksInto(start: number, size: number): TableUse | null {
    const { ctrl, root } = this.#regs;
    if (ENABLE.of(ctrl) === 0) return null;
    if (root >= start && root < start + size) return 'root';
    return this.#lookup.stepInto(start, size) === null ? null : 'step';
  }

  saveState(): StateValue {
    invariant(this.#waiting.length === 0, `${this.name}: a snapshot while it is blocked`);
    return { registers: this.#regs.handler.saveState(), lookup: this.#lookup.saveState() };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    this.#regs.handler.restoreState(reader.value('registers'));
    this.#lookup.restoreState(reader.value('lookup'));
    this.#ports.irq.restore(this.#irqLevel());
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, SYSMMU.size, this.#regs.handler)];
  }

  #makeRegisters(): SysmmuRegisters {
    const { name, version, onGuestError } = this.#ports;
    const complain = (text: string): void => {
      onGuestError(`${name}: ${text}`);
    };
    return sysmmuRegisters(version, {
      onGuestError,
      control: () => {
        this.#control();
      },
      flushAll: () => {
        if (this.#translates()) complain('TLB flushed while it is not blocked');
        this.#lookup.invalidate(null);
      },
      flush: (start, size) => {
        if (this.#translates()) complain('TLB flushed while it is not blocked');
        this.#lookup.invalidate(entry => overlaps(entry, start, size));
      },
      rebase: () => {
        if (this.#translates()) complain('PT_BASE written while it is not blocked');
      },
      irq: () => {
        this.#updateIrq();
      },
    });
  }

  #translates(): boolean {
    return ENABLE.of(this.#regs.ctrl) === 1 && BLOCK.of(this.#regs.ctrl) === 0;
  }

  #control(): void {
    const isBlocked = ENABLE.of(this.#regs.ctrl) === 1 && BLOCK.of(this.#regs.ctrl) === 1;
    this.#regs.setBlocked(isBlocked);
    if (!isBlocked) this.#resume();
    this.#updateIrq();
  }

  #resume(): void {
    for (const stall of this.#waiting.splice(0)) stall.end('retry');
  }

  #translate(address: number, write: boolean): IommuAnswer | null {
    const { ctrl, cfg, root } = this.#regs;
    if (ENABLE.of(ctrl) === 0) return null;
    const length = PAGE_SIZE - (address % PAGE_SIZE);
    if (BLOCK.of(ctrl) === 1) {
      const stall = new Stall();
      this.#waiting.push(stall);
      return this.#answer.waits(stall, length);
    }
    if (address >= 2 ** 32) return this.#fault('page', 'aperture', length);
    const fault = this.#lookup.find(this.#walker, root, CONTEXT, address);
    if (fault === WalkFault.External) return this.#fault('bus', 'walk', length);
    if (fault !== WalkFault.None) return this.#fault('page', 'translation', length);
    const { start, size, leads, attributes } = this.#lookup.entry;
    if (CHECKS_RIGHTS.of(cfg) === 1 && !permits(attributes, write)) {
      return this.#fault('access', 'permission', length);
    }
    return this.#answer.passes(leads + (address - start), start + size - address);
  }

  #fault(fault: SysmmuFault, cause: RefusalCause, length: number): IommuAnswer {
    const { address, write } = this.#access;
    this.#ports.onRefused({ ...this.#whose(), cause });
    this.#regs.report(fault, address % 2 ** 32, write);
    this.#updateIrq();
    return this.#answer.refuses(length);
  }

  #stale(what: KeptKind, older: number | null, newer: number | null): boolean {
    return this.#ports.onStale({ ...this.#whose(), what, older, newer });
  }

  #whose(): Omit<RefusedAccess, 'cause'> {
    return { iommu: this.name, stream: STREAM, ...this.#access };
  }

  #updateIrq(): void {
    this.#ports.irq.set(this.#irqLevel());
  }

  #irqLevel(): boolean {
    return this.#regs.pending !== 0 && INTERRUPT.of(this.#regs.ctrl) === 1;
  }
}
