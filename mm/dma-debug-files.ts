import type { DmaDebug } from './dma-debug';

/** What the files of /sys/kernel/debug/dma-api say, by their names, and what the log has of it. */
export interface DmaDebugFiles {
  readonly disabled: boolean;
  readonly errorCount: number;
  readonly allErrors: boolean;
  readonly numErrors: number;
  readonly numFreeEntries: number;
  readonly minFreeEntries: number;
  readonly nrTotalEntries: number;
  readonly driverFilter: string;
  readonly dump: readonly string[];
  /** Lines of the kernel's log that are no errors. */
  readonly log: readonly string[];
}

export const filesOf = ({ log, store, dump }: DmaDebug): DmaDebugFiles => ({
  disabled: store.isDisabled,
  errorCount: log.errorCount,
  allErrors: log.allErrors,
  numErrors: log.numErrors,
  numFreeEntries: store.pool.free,
  minFreeEntries: store.pool.least,
  nrTotalEntries: store.pool.total,
  driverFilter: log.filter,
  dump,
  log: log.notices,
});
