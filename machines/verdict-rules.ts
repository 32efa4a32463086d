import {
  EARLY,
  MAY_LOSE,
  MAY_OVERWRITE,
  MAY_STALE,
  MUST_STALE,
  STUCK,
  UNWRITTEN,
  hasVerdict,
} from '../arch/arm/coherence/verdicts';
import type { ByteRange } from '../drivers/base/types/finding';
import type { Verdict } from '../drivers/base/types/observer';
import type { RuleId } from '../drivers/base/types/rules';
import type { Mapping } from '../mm/mappings';

/** A verdict, and what is known of its bytes besides. */
export interface JudgedVerdict {
  readonly verdict: Verdict;
  /** The mapping that has the first byte, null if none has or had it. */
  readonly mapping: Mapping | null;
  /** Whether the port of the mapping's device snoops; null if nobody knows. */
  readonly snoops: boolean | null;
  /** What a call of the DMA API under way is for. */
  readonly maintained: ByteRange | null;
}

/**
 * The rule that a verdict speaks of, as far as the moment tells; the line's history may say
 * another (a missing barrier, a refill) when it is looked at. Null for a verdict of nothing.
 */
export const ruleOf = (judged: JudgedVerdict): RuleId | null => {
  const rule = ruleOfBits(judged);
  const isOfValues = rule !== null && rule !== 'never-written-bytes' && rule !== 'stale-table-word';
  return isOfValues ? (coherenceRule(judged) ?? rule) : rule;
};

/** Software and hardware do not agree on whether the device snoops: that comes before all else. */
const coherenceRule = ({ mapping, snoops }: JudgedVerdict): RuleId | null => {
  if (mapping === null || snoops === null || mapping.coherent === snoops) return null;
  return snoops ? 'coherent-in-hardware-only' : 'coherent-in-tree-only';
};

const ruleOfBits = ({ verdict, mapping, maintained }: JudgedVerdict): RuleId | null => {
  const { bits, by, access } = verdict;
  if (hasVerdict(bits, MAY_STALE, MUST_STALE, STUCK)) {
    if (access === 'table walk') return 'stale-table-word';
    return by.kind === 'device' ? 'stale-device-read' : 'stale-cpu-read';
  }
  if (hasVerdict(bits, EARLY)) return 'missing-read-barrier';
  if (hasVerdict(bits, MAY_OVERWRITE)) return 'dirty-line-over-device-data';
  if (hasVerdict(bits, MAY_LOSE)) {
    if (access === 'device write') return 'lost-device-write';
    if (maintained !== null && !isWithin(verdict, maintained)) return 'invalidate-of-dirty-bytes';
    return access !== 'store' && mapping?.isFilled === true
      ? 'lost-device-write'
      : 'lost-cpu-write';
  }
  return hasVerdict(bits, UNWRITTEN) ? 'never-written-bytes' : null;
};

const isWithin = ({ address, size }: Verdict, { start, size: length }: ByteRange): boolean =>
  address >= start && address + size <= start + length;
