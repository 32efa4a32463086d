import { LruKept, EveryKept, overlaps } from '../../../iommu/hw/kept';
import type { Kept } from '../../../iommu/hw/kept';
import { Lookup } from '../../../iommu/hw/lookup';
import { staleSink } from '../../../iommu/hw/stale';
import { TableWalk, WalkFault, permits } from '../../../iommu/walk/types';
import type { TableReader, TableWalker } from '../../../iommu/walk/types';
import { TwoLevelWalker } from '../../../iommu/walk/two-level';
import type { DmaPort } from '../../../base/hw/dma-port';
import type { KeptKind } from '../../../base/hw/iommu';
import { dmaAddr } from '../../../base/types/address';
import { invariant } from '../../../base/types/errors';
import type { Stateful, StateValue } from '../../../base/types/state';
import { MmuException } from '../regs';
import { ENTRY, PAGE } from '../regs/page-tables';
import { FlatWalker, MMUV2_WORDS } from './table-words';

/** How a translation ends, beside the exceptions: it passes, or nobody answers for a table. */
export const Passes = 0;
export const WalkError = 4;
export type Outcome = typeof Passes | MmuException | typeof WalkError;

/** Where an entry that was kept leads an access, and where memory has it lead by now. */
export interface KeptUse {
  readonly what: KeptKind;
  readonly address: number;
  readonly write: boolean;
  readonly older: number | null;
  readonly newer: number | null;
}

/** What the translation of a GPU's addresses is made of. */
export interface TranslationParts {
  readonly version: 1 | 2;
  readonly port: DmaPort;
  readonly isChecked: boolean;
  /** Translations that are kept, and entries of master tables. */
  readonly tlbEntries: number;
  /** An entry might be used that has changed since; true: it is. */
  readonly onStale: (use: KeptUse) => boolean;
  /** Where the tables of an address space begin: a master table, or a flat one. */
  readonly rootOf: (space: number) => number;
}

/**
 * Looks addresses up in the tables of an address space, and keeps what it found: MMUv2, or the paged half
 * of MMUv1. Which fault it is and whether the entry asks for an exception is left in fields.
 */
export class Translation implements Stateful {
  readonly #parts: TranslationParts;
  readonly #walker: TableWalker<number>;
  readonly #lookup: Lookup;
  readonly #access = { address: 0, write: false };
  /** Of the address that was last translated: where it is, and how many bytes on that holds. */
  physical = 0;
  span = 0;
  /** The entry that is not there asks for an exception. */
  raises = false;

  constructor(parts: TranslationParts) {
    this.#parts = parts;
    const { port, version, isChecked, tlbEntries } = parts;
    this.#walker = walkerOf(version, {
      readTable: address => port.readTable(dmaAddr(address)),
      readTable64: noWide,
      tableHigh: 0,
    });
    const unseen = walkerOf(version, {
      readTable: address => port.peekTable(dmaAddr(address)),
      readTable64: noWide,
      tableHigh: 0,
    });
    const kept = (): Kept => (isChecked ? new EveryKept() : new LruKept(tlbEntries));
    this.#lookup = new Lookup(
      { translations: kept(), steps: version === 2 ? [kept(), new LruKept(0)] : [] },
      staleSink(this.#access, (what, older, newer) =>
        parts.onStale({ what, ...this.#access, older, newer }),
      ),
      (space, address) => {
        unseen.translate(parts.rootOf(space), address, null);
        return unseen.walk;
      },
    );
  }

  /** Leaves where the address is in `physical` and `span`, or in `raises` how it is not there. */
  translate(space: number, address: number, write: boolean): Outcome {
    this.#access.address = address;
    this.#access.write = write;
    this.span = PAGE - (address % PAGE);
    const fault = this.#lookup.find(this.#walker, this.#parts.rootOf(space), space, address);
    if (fault === WalkFault.External) return WalkError;
    if (fault !== WalkFault.None) return this.#absent();
    const { start, leads, attributes } = this.#lookup.entry;
    this.physical = leads + (address - start);
    this.raises = true;
    return permits(attributes, write) ? Passes : MmuException.WriteViolation;
  }

  /** Forgets what was kept of an address space, or of `size` bytes of it from `start` on. */
  flush(space: number, start = 0, size = Infinity): void {
    this.#lookup.invalidate(entry => entry.context === space && overlaps(entry, start, size));
  }

  flushAll(): void {
    this.#lookup.invalidate(null);
  }

  /** As on reset. */
  clear(): void {
    this.#lookup.clear();
  }

  saveState(): StateValue {
    return this.#lookup.saveState();
  }

  restoreState(state: StateValue): void {
    this.#lookup.restoreState(state);
  }

  #absent(): Outcome {
    const { walk } = this.#walker;
    const entry = walk.steps[walk.count - 1];
    this.raises = entry !== undefined && ENTRY.EXCEPTION.of(entry.low) === 1;
    return walk.level === 0 ? MmuException.SlaveNotPresent : MmuException.PageNotPresent;
  }
}

const noWide = (): null => {
  invariant(false, 'entries of these tables have 32 bits');
};

const walkerOf = (version: 1 | 2, tables: TableReader): TableWalker<number> =>
  version === 2
    ? new TwoLevelWalker(tables, MMUV2_WORDS)
    : new FlatWalker(tables, new TableWalk(1));
