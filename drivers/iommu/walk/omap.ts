import {
  First,
  KIND,
  LARGE_PAGE,
  SECTION,
  SMALL_PAGE,
  SUPER,
  SUPERSECTION,
  Second,
} from '../regs/omap';
import { Word } from './two-level';
import type { WordDecoder } from './two-level';
import { Attribute } from './types';

const TABLE = 0x400;
const RIGHTS = Attribute.read | Attribute.write;

const startOf = (word: number, size: number): number => word - (word % size);

/** What the MMU of OMAP makes of a word: whatever is mapped may be read and written. */
export const OMAP_WORDS: WordDecoder = {
  firstSpan: SECTION,
  secondSpan: SMALL_PAGE,
  first: step => {
    const { low } = step;
    const kind = KIND.of(low);
    if (kind === First.Table) {
      step.leads = startOf(low, TABLE);
      return Word.Table;
    }
    if (kind !== First.Section) return Word.Nothing;
    if (SUPER.of(low) === 1) step.widen(SUPERSECTION);
    step.leads = startOf(low, step.size);
    step.attributes = RIGHTS;
    return Word.Page;
  },
  second: step => {
    const { low } = step;
    const kind = KIND.of(low);
    if (kind === Second.Large) step.widen(LARGE_PAGE);
    else if (kind !== Second.Small) return Word.Nothing;
    step.leads = startOf(low, step.size);
    step.attributes = RIGHTS;
    return Word.Page;
  },
};
