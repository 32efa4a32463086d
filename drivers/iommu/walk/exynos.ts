import {
  EXYNOS,
  EXYNOS_V5,
  First,
  KIND,
  LARGE_PAGE,
  SECTION,
  SMALL_PAGE,
  Second,
} from '../regs/exynos';
import type { ExynosFormat, ExynosRights } from '../regs/exynos';
import { Word } from './two-level';
import type { WordDecoder } from './two-level';
import { Attribute } from './types';

const TABLE = 0x400;

const rightsOf = (word: number, { read, write, both, mask }: ExynosRights): number => {
  const said = (word & mask) >>> 0;
  if (said === both) return Attribute.read | Attribute.write;
  if (said === read) return Attribute.read;
  return said === write ? Attribute.write : 0;
};

const leadsTo = (word: number, unit: number, size: number): number =>
  word * unit - ((word * unit) % size);

const decoderOf = ({ unit, section, page }: ExynosFormat): WordDecoder => ({
  firstSpan: SECTION,
  secondSpan: SMALL_PAGE,
  first: step => {
    const { low } = step;
    const kind = KIND.of(low);
    if (kind === First.Table) {
      step.leads = leadsTo(low, unit, TABLE);
      return Word.Table;
    }
    if (kind !== First.Section) return Word.Nothing;
    step.leads = leadsTo(low, unit, SECTION);
    step.attributes = rightsOf(low, section);
    return Word.Page;
  },
  second: step => {
    const { low } = step;
    const kind = KIND.of(low);
    if (kind === 0) return Word.Nothing;
    if (kind === Second.Large) step.widen(LARGE_PAGE);
    step.leads = leadsTo(low, unit, step.size);
    step.attributes = rightsOf(low, page);
    return Word.Page;
  },
});

/** What SYSMMUs of version 1 to 3 make of a word, and those of version 5. */
export const EXYNOS_WORDS = decoderOf(EXYNOS);
export const EXYNOS_V5_WORDS = decoderOf(EXYNOS_V5);
