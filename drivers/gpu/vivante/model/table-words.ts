import { Word } from '../../../iommu/walk/two-level';
import type { WordDecoder } from '../../../iommu/walk/two-level';
import { Attribute, WalkFault } from '../../../iommu/walk/types';
import type { TableReader, TableWalk, TableWalker } from '../../../iommu/walk/types';
import { ENTRY, MMUV1, MMUV2, PAGE, addressOf } from '../regs/page-tables';

const WORD = 4;

/** What MMUv2 makes of the words of its master and slave tables. */
export const MMUV2_WORDS: WordDecoder = {
  firstSpan: MMUV2.TABLE_SPAN,
  secondSpan: PAGE,
  first: step => {
    if (ENTRY.PRESENT.of(step.low) === 0) return Word.Nothing;
    step.leads = addressOf(step.low);
    return Word.Table;
  },
  second: step => {
    if (ENTRY.PRESENT.of(step.low) === 0) return Word.Nothing;
    step.leads = addressOf(step.low);
    const isWriteable = ENTRY.WRITEABLE.of(step.low) === 1;
    step.attributes = Attribute.read | (isWriteable ? Attribute.write : 0);
    return Word.Page;
  },
};

/** Walks the flat table of MMUv1, for addresses from MMUV1.PAGED_BASE on: any word leads somewhere. */
export class FlatWalker implements TableWalker<number> {
  readonly walk: TableWalk;
  readonly #tables: TableReader;

  constructor(tables: TableReader, walk: TableWalk) {
    this.#tables = tables;
    this.walk = walk;
  }

  translate(root: number, address: number): WalkFault {
    const { walk } = this;
    walk.count = 0;
    const at = root + Math.floor((address - MMUV1.PAGED_BASE) / PAGE) * WORD;
    const word = this.#tables.readTable(at);
    if (word === null) return walk.failed(WalkFault.External, 0);
    const step = walk.next(0, at, word, 0, address, PAGE);
    step.leads = word - (word % PAGE);
    step.attributes = Attribute.read | Attribute.write;
    return walk.found(step);
  }
}
