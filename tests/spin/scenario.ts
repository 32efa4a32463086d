/*
 * Small programs of one CPU and one device, as data: what both judges are given, the checker and
 * SPIN. A line has two words here; memory starts with everything at rest.
 */

export type LineOperation = 'clean' | 'invalidate' | 'clean+invalidate';

/** Where: a line of the scenario, and a word of it. */
interface Place {
  readonly line: number;
  readonly word: 0 | 1;
}

export type ScenarioStep =
  | (Place & { readonly do: 'store' | 'load' | 'poll'; readonly mapping: 'cached' | 'uncached' })
  | (Place & { readonly do: 'device read' | 'device write'; readonly snoops: boolean })
  /** The device waits for the word: it goes on when it has seen its latest value. */
  | (Place & { readonly do: 'device polls' })
  | {
      readonly do: 'maintain' | 'maintain outer';
      readonly line: number;
      readonly op: LineOperation;
    }
  | { readonly do: 'dmb' | 'dsb' | 'outer sync' | 'doorbell' }
  | { readonly do: 'map' | 'unmap'; readonly line: number }
  /** Asks whether any copy of the word holds the latest. */
  | (Place & { readonly do: 'is kept' });

/** A program of a CPU and a device; its last step is what is asked about: can it go wrong? */
export interface Program {
  readonly name: string;
  readonly lines: number;
  readonly steps: readonly ScenarioStep[];
  /** Steps, by number, that a careless driver leaves out, alone or together. */
  readonly droppable: readonly (readonly number[])[];
}

const store = (line: number, word: 0 | 1, mapping: 'cached' | 'uncached' = 'cached') =>
  ({ do: 'store', line, word, mapping }) as const;
const load = (line: number, word: 0 | 1, mapping: 'cached' | 'uncached' = 'cached') =>
  ({ do: 'load', line, word, mapping }) as const;
const poll = (line: number, word: 0 | 1, mapping: 'cached' | 'uncached') =>
  ({ do: 'poll', line, word, mapping }) as const;
const reads = (line: number, word: 0 | 1, snoops = false) =>
  ({ do: 'device read', line, word, snoops }) as const;
const writes = (line: number, word: 0 | 1, snoops = false) =>
  ({ do: 'device write', line, word, snoops }) as const;
const maintain = (line: number, op: LineOperation) => ({ do: 'maintain', line, op }) as const;
const outer = (line: number, op: LineOperation) => ({ do: 'maintain outer', line, op }) as const;
const dsb = { do: 'dsb' } as const;
const dmb = { do: 'dmb' } as const;
const sync = { do: 'outer sync' } as const;
const doorbell = { do: 'doorbell' } as const;

const toDevice: Program = {
  name: 'the CPU fills a buffer, the device reads it',
  lines: 1,
  steps: [
    load(0, 0),
    store(0, 0),
    store(0, 1),
    maintain(0, 'clean'),
    dsb,
    outer(0, 'clean'),
    sync,
    doorbell,
    reads(0, 0),
  ],
  droppable: [[3], [4], [5], [6], [4, 6], [3, 5], [0, 3], [3, 4, 5, 6]],
};

const fromDevice: Program = {
  name: 'the device fills a buffer that was dirty, the CPU reads it',
  lines: 1,
  steps: [
    load(0, 0),
    store(0, 0),
    maintain(0, 'clean+invalidate'),
    dsb,
    outer(0, 'clean+invalidate'),
    sync,
    doorbell,
    writes(0, 0),
    outer(0, 'invalidate'),
    sync,
    maintain(0, 'invalidate'),
    dsb,
    load(0, 0),
  ],
  droppable: [
    [2],
    [3],
    [4],
    [5],
    [8],
    [10],
    [11],
    [8, 10],
    [2, 4],
    [10, 11],
    [0, 10],
    [2, 3, 4, 10],
    [8, 9, 10, 11],
  ],
};

const kept: Program = {
  ...fromDevice,
  name: 'the device fills a buffer that was dirty, and what it wrote stays',
  steps: [...fromDevice.steps.slice(0, 8), { do: 'is kept', line: 0, word: 0 }],
  droppable: [[2], [3], [4], [5], [2, 4], [2, 3, 4, 5]],
};

const neighbour: Program = {
  name: 'the CPU writes beside a word that the device writes',
  lines: 1,
  steps: [
    maintain(0, 'clean+invalidate'),
    dsb,
    load(0, 1),
    store(0, 1),
    writes(0, 0),
    { do: 'is kept', line: 0, word: 0 },
  ],
  droppable: [[2], [3], [2, 3]],
};

const sharedInvalidate: Program = {
  name: 'a line is invalidated that holds a word of the CPU',
  lines: 1,
  steps: [
    writes(0, 0),
    load(0, 0),
    store(0, 1),
    maintain(0, 'clean'),
    dsb,
    maintain(0, 'invalidate'),
    dsb,
    { do: 'is kept', line: 0, word: 1 },
  ],
  droppable: [[1], [3], [4], [3, 4], [5], [1, 3]],
};

const doorbellOrder: Program = {
  name: 'a descriptor in uncached memory, then the doorbell',
  lines: 1,
  steps: [store(0, 0, 'uncached'), dsb, sync, doorbell, reads(0, 0)],
  droppable: [[1], [2], [1, 2]],
};

const ownFlag: Program = {
  name: 'data, then the flag that hands it over, in uncached memory',
  lines: 2,
  steps: [
    store(0, 0, 'uncached'),
    dmb,
    store(1, 0, 'uncached'),
    { do: 'device polls', line: 1, word: 0 },
    reads(0, 0),
  ],
  droppable: [[1]],
};

const ownFlagOfLine: Program = {
  ...ownFlag,
  name: 'data and flag in one uncached line',
  lines: 1,
  steps: [
    store(0, 0, 'uncached'),
    dmb,
    store(0, 1, 'uncached'),
    { do: 'device polls', line: 0, word: 1 },
    reads(0, 0),
  ],
};

const status: Program = {
  name: 'the CPU polls a status and reads what it says is there',
  lines: 2,
  // Nobody reaches it cached: what is read early is all that can go wrong.
  steps: [
    { do: 'unmap', line: 0 },
    { do: 'unmap', line: 1 },
    maintain(0, 'invalidate'),
    maintain(1, 'invalidate'),
    dsb,
    writes(1, 0),
    writes(0, 0),
    poll(0, 0, 'uncached'),
    dmb,
    load(1, 0, 'uncached'),
  ],
  droppable: [[8], [1], [3], [1, 8]],
};

const polledNeighbour: Program = {
  name: 'the CPU polls a cached word and reads its neighbour in the line',
  lines: 1,
  steps: [
    load(0, 0),
    writes(0, 1),
    writes(0, 0),
    maintain(0, 'invalidate'),
    dsb,
    outer(0, 'invalidate'),
    poll(0, 0, 'cached'),
    load(0, 1),
  ],
  droppable: [[3], [4], [0], [5]],
};

const unmapped: Program = {
  name: 'a line is not mapped while the device writes it',
  lines: 1,
  steps: [
    load(0, 0),
    { do: 'unmap', line: 0 },
    maintain(0, 'invalidate'),
    dsb,
    outer(0, 'invalidate'),
    writes(0, 0),
    { do: 'map', line: 0 },
    load(0, 0),
  ],
  droppable: [[1], [2], [3], [4], [2, 4], [0, 1], [0, 2]],
};

const aliases: Program = {
  name: 'a page is written cached and read uncached',
  lines: 1,
  steps: [
    store(0, 0),
    maintain(0, 'clean+invalidate'),
    dsb,
    outer(0, 'clean+invalidate'),
    dsb,
    load(0, 0, 'uncached'),
  ],
  droppable: [[1], [2], [3], [1, 3]],
};

const aliasesBack: Program = {
  name: 'a page is written uncached and read cached',
  lines: 1,
  steps: [
    load(0, 0),
    store(0, 0, 'uncached'),
    dsb,
    sync,
    outer(0, 'invalidate'),
    maintain(0, 'invalidate'),
    dsb,
    load(0, 0),
  ],
  droppable: [[2], [4], [5], [6], [4, 5], [0, 5]],
};

const twoBuffers: Program = {
  name: 'two lines, the second one cleaned too early',
  lines: 2,
  steps: [
    store(0, 0),
    store(1, 0),
    maintain(1, 'clean'),
    maintain(0, 'clean'),
    dsb,
    outer(0, 'clean'),
    outer(1, 'clean'),
    sync,
    doorbell,
    reads(1, 0),
  ],
  droppable: [[2], [3], [4], [6], [7]],
};

const threeLines: Program = {
  name: 'three lines are filled by the device',
  lines: 3,
  steps: [
    store(0, 0),
    store(1, 0),
    maintain(0, 'invalidate'),
    maintain(1, 'invalidate'),
    maintain(2, 'invalidate'),
    dsb,
    doorbell,
    writes(0, 0),
    writes(1, 0),
    writes(2, 0),
    maintain(0, 'invalidate'),
    maintain(1, 'invalidate'),
    maintain(2, 'invalidate'),
    dsb,
    load(1, 0),
  ],
  droppable: [[3], [11], [12], [5], [13]],
};

const snooping: Program = {
  name: 'a device that snoops needs no maintenance',
  lines: 1,
  steps: [store(0, 0), dsb, doorbell, reads(0, 0, true), writes(0, 0, true), load(0, 0)],
  droppable: [[0], [3, 4]],
};

const snoopingRead: Program = {
  ...snooping,
  name: 'a device that snoops reads what the CPU stored',
  steps: [store(0, 0), dsb, doorbell, reads(0, 0, true)],
  droppable: [[1]],
};

const snoopingNeighbour: Program = {
  ...snooping,
  name: 'a device that snoops writes beside a dirty word',
  steps: [store(0, 1), dsb, writes(0, 0, true), { do: 'is kept', line: 0, word: 1 }],
  droppable: [[1]],
};

const PROGRAMS: readonly Program[] = [
  toDevice,
  fromDevice,
  kept,
  neighbour,
  sharedInvalidate,
  doorbellOrder,
  ownFlag,
  ownFlagOfLine,
  status,
  polledNeighbour,
  unmapped,
  aliases,
  aliasesBack,
  twoBuffers,
  threeLines,
  snooping,
  snoopingRead,
  snoopingNeighbour,
];

/** A program with some of its steps left out. */
export interface Scenario {
  /** Of the machine's programs. */
  readonly program: number;
  readonly dropped: readonly number[];
}

const snoops = (step: ScenarioStep): boolean => 'snoops' in step && step.snoops;
/** About the outer cache: a machine without one has no such call. */
export const isOuter = (step: ScenarioStep): boolean =>
  step.do === 'maintain outer' || step.do === 'outer sync';

/** Every program that the machine can run, and each with calls left out that it has. */
export const scenariosFor = (machine: {
  readonly hasOuter: boolean;
  readonly snoops: boolean;
}): { readonly programs: readonly Program[]; readonly scenarios: readonly Scenario[] } => {
  const programs = PROGRAMS.filter(({ steps }) => machine.snoops || !steps.some(snoops));
  const scenarios = programs.flatMap(({ steps, droppable }, program) => {
    const missing = steps.flatMap((step, n) => (!machine.hasOuter && isOuter(step) ? [n] : []));
    const kinds = [[], ...droppable].map(dropped =>
      [...new Set([...dropped, ...missing])].sort((a, b) => a - b),
    );
    const different = new Map(kinds.map(dropped => [dropped.join(), dropped]));
    return [...different.values()].map(dropped => ({ program, dropped }));
  });
  return { programs, scenarios };
};

/** What is left of a program. */
export const stepsLeft = (program: Program, dropped: readonly number[]): readonly ScenarioStep[] =>
  program.steps.filter((_, n) => !dropped.includes(n));

export const nameOf = ({ name, steps }: Program, dropped: readonly number[]): string => {
  const calls = dropped.map(n => steps[n]?.do ?? '');
  return calls.length === 0 ? name : `${name}, without ${calls.join(', ')}`;
};
