import { PAGE, READABLE, TABLE_SPAN, VALID, WRITABLE, addressOf } from '../regs/rockchip';
import { Word } from './two-level';
import type { WordDecoder } from './two-level';
import { Attribute } from './types';

const decoderOf = (isV2: boolean): WordDecoder => ({
  firstSpan: TABLE_SPAN,
  secondSpan: PAGE,
  first: step => {
    if (VALID.of(step.low) === 0) return Word.Nothing;
    step.leads = addressOf(step.low, isV2);
    return Word.Table;
  },
  second: step => {
    const { low } = step;
    if (VALID.of(low) === 0) return Word.Nothing;
    step.leads = addressOf(low, isV2);
    step.attributes =
      (READABLE.of(low) === 1 ? Attribute.read : 0) |
      (WRITABLE.of(low) === 1 ? Attribute.write : 0);
    return Word.Page;
  },
});

/** What the MMU of `rockchip,iommu` makes of a word, and that of `rockchip,rk3568-iommu`. */
export const ROCKCHIP_WORDS = decoderOf(false);
export const ROCKCHIP_V2_WORDS = decoderOf(true);
