import type { PhysAddr } from '../../../drivers/base/types/address';
import type { EntryChange, EntryWriter } from './pgtable';

/** One entry of a table, and what stores it: as it is to be, or invalid. */
export interface EntryPlace {
  readonly table: PhysAddr;
  /** Bytes, from the start of the table. */
  readonly offset: number;
  readonly size: number;
  readonly store: (isValid: boolean) => void;
}

/** A change of these entries, which is published in runs of neighbours. */
export const changeOf = (
  entries: EntryWriter,
  range: Pick<EntryChange, 'va' | 'size' | 'span'>,
  places: readonly EntryPlace[],
): EntryChange => ({
  ...range,
  clear: () => {
    for (const { store } of places) store(false);
  },
  write: () => {
    for (const { store } of places) store(true);
  },
  publish: () => {
    for (const { table, offset, size } of runsOf(places)) entries.publish(table, offset, size);
  },
});

type Run = Pick<EntryPlace, 'table' | 'offset' | 'size'>;

/** Entries that follow each other in one table are one run. */
const runsOf = (places: readonly EntryPlace[]): Run[] => {
  const runs: Run[] = [];
  for (const { table, offset, size } of places) {
    const last = runs.at(-1);
    if (last?.table === table && last.offset + last.size === offset) {
      runs[runs.length - 1] = { ...last, size: last.size + size };
    } else {
      runs.push({ table, offset, size });
    }
  }
  return runs;
};
