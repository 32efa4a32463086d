import type { Suite } from '../suite';
import { ALLOCATOR_RULES } from './allocators';
import { ATTRIBUTE_RULES } from './attributes';
import { BOUNCE_RULES } from './bounce';
import { LIMIT_RULES } from './limits';
import { LIST_RULES } from './lists';
import { MAPPABLE_RULES } from './mappable';
import { COHERENT_RULES } from './memory';
import { ORDER_RULES } from './order';
import { DIRECTION_RULES, OWNERSHIP_RULES } from './ownership';
import { caseOf } from './rule';
import type { DmaRule } from './rule';

/** The rules in the order of their numbers. */
export const DMA_RULES: readonly DmaRule[] = [
  ...COHERENT_RULES,
  ...LIMIT_RULES,
  ...MAPPABLE_RULES,
  ...DIRECTION_RULES,
  ...OWNERSHIP_RULES,
  ...LIST_RULES,
  ...ALLOCATOR_RULES,
  ...ATTRIBUTE_RULES,
  ...BOUNCE_RULES,
  ...ORDER_RULES,
].sort((a, b) => a.number - b.number);

export const dmaRulesSuite: Suite = {
  name: 'dma-rules',
  summary:
    "the rules of the kernel's documents on DMA, by number, kept and broken by every back end",
  cases: DMA_RULES.map(caseOf),
};
