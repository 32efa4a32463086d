import type { KeptKind } from '../../base/hw/iommu';
import type { StaleSink } from './lookup';

/**
 * Tells where a transaction goes by what was kept and by what memory has, null for nowhere. A step of
 * a walk only says that it goes through another table.
 */
export const staleSink =
  (
    access: { readonly address: number },
    tell: (what: KeptKind, older: number | null, newer: number | null) => boolean,
  ): StaleSink =>
  (what, older, now) => {
    const { address } = access;
    if (what === 'walk') return tell(what, older.leads, now === null ? null : now.leads);
    const newer = now === null ? null : now.leads + (address - now.start);
    return tell(what, older.leads + (address - older.start), newer);
  };
