import { replaceAt } from './brute-line';

/*
 * Lines of a first level, one byte each, that are together in one line of the second, slow and obvious:
 * versions wherever a copy is. Written from arch/arm/cache/cluster.ts and data-cache.ts, not from
 * the checker's rules. Everything is mapped, and every event is followed by a dsb.
 */

export interface WideMachine {
  readonly inclusion: 'inclusive' | 'exclusive' | 'neither';
  readonly sectored: boolean;
  readonly lines: number;
}

interface Copy {
  readonly dirty: boolean;
  readonly version: number;
}

/**
 * The second level's line: which of its parts are dirty (all if one is, where it is not sectored), and
 * what is in them; null of a part that was dropped by itself.
 */
interface Wide {
  readonly dirty: readonly boolean[];
  readonly versions: readonly (number | null)[];
}

export interface WideLine {
  readonly first: readonly (Copy | null)[];
  readonly second: Wide | null;
  readonly memory: readonly number[];
}

export const freshWide = ({ lines }: WideMachine): WideLine => ({
  first: Array.from({ length: lines }, () => null),
  second: null,
  memory: Array.from({ length: lines }, () => 0),
});

export const keyOfWide = ({ first, second, memory }: WideLine): string =>
  JSON.stringify([first, second, memory]);

const withSecond = (line: WideLine): WideLine & { readonly second: Wide } => ({
  ...line,
  second: line.second ?? { dirty: line.memory.map(() => false), versions: line.memory },
});

const clean = (line: WideLine): WideLine => {
  const { second } = line;
  if (second === null) return line;
  // A part that is not there is not written.
  const memory = line.memory.map((old, n) =>
    second.dirty[n] === true ? (second.versions[n] ?? old) : old,
  );
  return { ...line, memory, second: { ...second, dirty: second.dirty.map(() => false) } };
};

/** What a first level gives up goes into the second. */
const take = (machine: WideMachine, line: WideLine, n: number, copy: Copy): WideLine => {
  const taken = withSecond(line);
  const { dirty, versions } = taken.second;
  const marks = dirty.map((was, of) => was || (copy.dirty && (of === n || !machine.sectored)));
  return { ...taken, second: { dirty: marks, versions: replaceAt(versions, n, copy.version) } };
};

const flushFirst = (machine: WideMachine, line: WideLine, n: number): WideLine => {
  const copy = line.first[n] ?? null;
  if (copy?.dirty !== true) return line;
  const taken = take(machine, line, n, copy);
  return { ...taken, first: replaceAt(taken.first, n, { ...copy, dirty: false }) };
};

const evictFirst = (machine: WideMachine, line: WideLine, n: number): WideLine => {
  const copy = line.first[n] ?? null;
  if (copy === null) return line;
  const isTaken = copy.dirty || machine.inclusion === 'exclusive';
  const taken = isTaken ? take(machine, line, n, copy) : line;
  return { ...taken, first: replaceAt(taken.first, n, null) };
};

const evictSecond = (machine: WideMachine, line: WideLine): WideLine => {
  let taken = line;
  for (let n = 0; machine.inclusion === 'inclusive' && n < machine.lines; n++) {
    taken = evictFirst(machine, taken, n);
  }
  return { ...clean(taken), second: null };
};

/** The whole line is there, each part that was not from memory. */
const fillSecond = (line: WideLine): WideLine & { readonly second: Wide } => {
  const filled = withSecond(line);
  const versions = filled.second.versions.map((version, n) => version ?? line.memory[n] ?? 0);
  return { ...filled, second: { ...filled.second, versions } };
};

const fillFirst = (machine: WideMachine, line: WideLine, n: number): WideLine => {
  const isExclusive = machine.inclusion === 'exclusive';
  const isThere = (line.second?.versions[n] ?? null) !== null;
  if (isExclusive && !isThere) return putFirst(line, n, line.memory[n] ?? 0);
  const from = isThere ? line : fillSecond(line);
  const filled = putFirst(from, n, from.second?.versions[n] ?? 0);
  return isExclusive ? evictSecond(machine, filled) : filled;
};

const putFirst = (line: WideLine, n: number, version: number): WideLine => ({
  ...line,
  first: replaceAt(line.first, n, { dirty: false, version }),
});

/** All that it may do unasked, a step each. */
export const wideSteps = (machine: WideMachine, line: WideLine): WideLine[] => {
  const steps: WideLine[] = [];
  line.first.forEach((copy, n) => {
    if (copy === null) steps.push(fillFirst(machine, line, n));
    else steps.push(flushFirst(machine, line, n), evictFirst(machine, line, n));
  });
  if (line.second !== null) steps.push(clean(line), evictSecond(machine, line));
  if (machine.inclusion !== 'exclusive') steps.push(fillSecond(line));
  return steps;
};

export const wideStore = (
  machine: WideMachine,
  line: WideLine,
  n: number,
  version: number,
): WideLine => {
  const filled = line.first[n] === null ? fillFirst(machine, line, n) : line;
  return { ...filled, first: replaceAt(filled.first, n, { dirty: true, version }) };
};

export const wideLoad = (
  machine: WideMachine,
  line: WideLine,
  n: number,
): { readonly line: WideLine; readonly version: number } => {
  const filled = line.first[n] === null ? fillFirst(machine, line, n) : line;
  return { line: filled, version: filled.first[n]?.version ?? -1 };
};

export type WideOperation = 'clean' | 'invalidate' | 'clean+invalidate';

/**
 * By address: the second level's line is never dropped without writing back what else is in it, and
 * the rest of it is dropped or not.
 */
export const wideMaintain = (
  machine: WideMachine,
  line: WideLine,
  n: number,
  operation: WideOperation,
): WideLine[] => {
  const flushed = flushFirst(machine, line, n);
  if (operation === 'clean') return [clean(flushed)];
  const starts = operation === 'invalidate' ? [line, flushed] : [flushed];
  return starts.flatMap(start => {
    const left = { ...start, first: replaceAt(start.first, n, null) };
    const cleaned = clean(left);
    if (left.second === null || cleaned.second === null) return [left];
    const versions = replaceAt(cleaned.second.versions, n, null);
    return [evictSecond(machine, left), { ...cleaned, second: { ...cleaned.second, versions } }];
  });
};
