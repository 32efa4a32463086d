/*
 * What an access can turn out to be, as bits of a small integer: 0 is an access with which nothing
 * can be wrong. The history of the line decides between the rules that a bit can lead to.
 */

/** Some state answers what is not the latest. */
export const MAY_STALE = 1;
/** Every state does. */
export const MUST_STALE = 2;
/** Some state does in which nothing is under way: time alone does not bring the latest. */
export const STUCK = 4;
/**
 * There is a state in which no copy holds the latest: after a write, what it wrote may be lost;
 * after anything else, what was safe before it may be lost now.
 */
export const MAY_LOSE = 8;
/** What is not the latest can be written over what a device has just written. */
export const MAY_OVERWRITE = 16;
/** The load may have been performed before the device wrote: nothing ordered it. */
export const EARLY = 32;
/** Someone watches the line: the access is told, whatever else is said of it. */
export const WATCHED = 64;
/** Nobody has written these bytes since their contents became undefined. */
export const UNWRITTEN = 128;

/** There are verdicts on neighbours of the line, in a wider one: LineStates.takeBeside(). */
export const BESIDE = 256;

/** What a read may find; of a byte that is not read it means nothing. */
export const READS = MAY_STALE | MUST_STALE | STUCK | UNWRITTEN;

/** The bits, for people: a name and what it says of an access. */
export const VERDICT_BITS: readonly (readonly [bit: number, name: string, meaning: string])[] = [
  [MAY_STALE, 'may be stale', 'a possible state answers with what is not the latest'],
  [MUST_STALE, 'is stale', 'every possible state answers with what is not the latest'],
  [STUCK, 'stays stale', 'and time alone does not bring the latest'],
  [MAY_LOSE, 'may be lost', 'a possible state has no copy of the latest any more'],
  [MAY_OVERWRITE, 'may be overwritten', 'older bytes can be written over those of the device'],
  [EARLY, 'may be early', 'nothing orders the load after the write of the device'],
  [WATCHED, 'watched', 'somebody asked to be told of accesses to the line'],
  [UNWRITTEN, 'never written', 'nobody has written the bytes since they became undefined'],
];

/** Whether a verdict has one of these bits. */
export const hasVerdict = (verdict: number, ...bits: readonly number[]): boolean =>
  bits.some(bit => (verdict & bit) !== 0);

/** The names of the bits of a verdict: `may be stale, stays stale`; `fine` if there is none. */
export const showVerdict = (verdict: number): string => {
  const names = VERDICT_BITS.filter(([bit]) => (verdict & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? 'fine' : names.join(', ');
};
