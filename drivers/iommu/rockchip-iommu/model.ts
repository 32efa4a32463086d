import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaMemory } from '../../base/hw/dma-memory';
import type { IommuHook } from '../../base/hw/dma-port';
import type { RefusedAccess, StaleEntry, StaleEntrySink, TableUse } from '../../base/hw/iommu';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { at } from '../../base/types/arrays';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { EveryKept, LruKept } from '../hw/kept';
import type { Kept } from '../hw/kept';
import { Lookup } from '../hw/lookup';
import { staleSink } from '../hw/stale';
import { PAGE } from '../regs/rockchip';
import { ROCKCHIP_V2_WORDS, ROCKCHIP_WORDS } from '../walk/rockchip';
import { TwoLevelWalker } from '../walk/two-level';
import { RockchipBank } from './model/bank';
import type { BankAccess } from './model/bank';

/** What a Rockchip IOMMU is wired to. */
export interface RockchipIommuPorts {
  readonly name: string;
  readonly isV2: boolean;
  /** Bytes of each window: an MMU each. */
  readonly windows: readonly number[];
  readonly memory: DmaMemory;
  /** Of all MMUs. */
  readonly irq: IrqLine;
  readonly isChecked: boolean;
  readonly tlbEntries: number;
  readonly onGuestError: GuestErrorSink;
  readonly onStale: StaleEntrySink;
  readonly onRefused: (refused: RefusedAccess) => void;
}

const STREAM = 0;

/**
 * An IOMMU of Rockchip's: one MMU or several, each in front of a port of its master. Which port a
 * transaction takes is assumed: pages in turn.
 */
export class RockchipIommu extends Device {
  readonly reset: ResetNode;
  readonly #ports: RockchipIommuPorts;
  readonly #banks: readonly RockchipBank[];
  /** The transaction that passes. */
  readonly #access: BankAccess = { master: '', address: 0, write: false };

  constructor(ports: RockchipIommuPorts) {
    super(ports.name);
    this.#ports = ports;
    this.#banks = ports.windows.map(() => this.#makeBank());
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      hold: () => {
        ports.irq.set(false);
      },
      exit: () => {
        for (const bank of this.#banks) bank.reset();
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
        return at(this.#banks, Math.floor(address / PAGE) % this.#banks.length).translate(access);
      },
    };
  }

  /** By what a walk may come to a table that begins in these bytes; null: by nothing. */
  walksInto(start: number, size: number): TableUse | null {
    const uses = this.#banks.map(bank => bank.walksInto(start, size));
    return uses.find(use => use === 'root') ?? uses.find(use => use !== null) ?? null;
  }

  saveState(): StateValue {
    return { banks: this.#banks.map(bank => bank.saveState()) };
  }

  restoreState(state: StateValue): void {
    const states = new StateReader(state, this.name).list('banks', this.#banks.length);
    this.#banks.forEach((bank, i) => {
      bank.restoreState(states[i] ?? null);
    });
    this.#ports.irq.restore(this.#irqLevel());
  }

  protected createRegions(): readonly MemoryRegion[] {
    return this.#banks.map(({ regs }, i) =>
      MemoryRegion.io(`${this.name} ${i}`, at(this.#ports.windows, i), regs),
    );
  }

  #makeBank(): RockchipBank {
    const { name, isV2, memory, isChecked, tlbEntries, onGuestError } = this.#ports;
    const kept = (): Kept => (isChecked ? new EveryKept() : new LruKept(tlbEntries));
    const words = isV2 ? ROCKCHIP_V2_WORDS : ROCKCHIP_WORDS;
    const unseen = new TwoLevelWalker(memory.unseen, words);
    const bank: RockchipBank = new RockchipBank({
      name,
      isV2,
      walker: new TwoLevelWalker(memory, words),
      lookup: new Lookup(
        { translations: kept(), steps: [kept(), new LruKept(0)] },
        staleSink(this.#access, (what, older, newer) => this.#stale({ what, older, newer })),
        (_context, address) => bank.walkUnasked(unseen, address),
      ),
      nowhere: kept(),
      neighbour: isChecked ? address => memory.unseen.readTable(address) : null,
      onGuestError,
      onIrq: () => {
        this.#ports.irq.set(this.#irqLevel());
      },
      onStaleNowhere: newer => this.#stale({ what: 'translation', older: null, newer }),
      onRefused: (access, cause) => {
        this.#ports.onRefused({ ...this.#whose(access), cause });
      },
    });
    return bank;
  }

  #stale(entry: Pick<StaleEntry, 'what' | 'older' | 'newer'>): boolean {
    return this.#ports.onStale({ ...this.#whose(this.#access), ...entry });
  }

  #whose({ master, address, write }: BankAccess): Omit<RefusedAccess, 'cause'> {
    return { iommu: this.name, master, stream: STREAM, address, write };
  }

  #irqLevel(): boolean {
    return this.#banks.some(bank => bank.isInterrupting);
  }
}
