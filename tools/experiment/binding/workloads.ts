/*
 * What a client does, for every mode alike: objects, and jobs that refer to some of them and write a block in
 * some of those.
 */

/** A job, by places in the list of objects. */
export interface WorkloadJob {
  readonly client: number;
  readonly refers: readonly number[];
  /** Those that it touches; the others it only might have. */
  readonly touches: readonly number[];
}

export interface Workload {
  readonly name: string;
  readonly summary: string;
  readonly clients: number;
  /** Pages of each object. */
  readonly objects: readonly number[];
  readonly jobs: readonly WorkloadJob[];
}

const range = (count: number): number[] => [...Array(count).keys()];
const all = (count: number): Omit<WorkloadJob, 'client'> => ({
  refers: range(count),
  touches: range(count),
});

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'few big',
    summary: 'a job with 4 objects of 16 pages, all of which it touches',
    clients: 1,
    objects: range(4).map(() => 16),
    jobs: [{ client: 0, ...all(4) }],
  },
  {
    name: 'many small',
    summary: 'a job with 32 objects of a page, all of which it touches',
    clients: 1,
    objects: range(32).map(() => 1),
    jobs: [{ client: 0, ...all(32) }],
  },
  {
    name: 'sparse touch',
    summary: 'a job with 32 objects of 4 pages, of which it touches 2',
    clients: 1,
    objects: range(32).map(() => 4),
    jobs: [{ client: 0, refers: range(32), touches: [3, 17] }],
  },
  {
    name: 're-use',
    summary: '10 jobs with the same 8 objects of 4 pages',
    clients: 1,
    objects: range(8).map(() => 4),
    jobs: range(10).map(() => ({ client: 0, ...all(8) })),
  },
  {
    name: 'two clients',
    summary: 'two clients in turns, 4 jobs each, with the same 8 objects of 2 pages',
    clients: 2,
    objects: range(8).map(() => 2),
    jobs: range(8).map(i => ({ client: i % 2, ...all(8) })),
  },
];

/** Objects that a job of the crossover refers to, and their pages. */
const CROSSOVER = { objects: 32, pages: 128 };

/** The job that touches so many of them. */
export const crossoverOf = (touched: number): Workload => ({
  name: `${touched} of ${CROSSOVER.objects} touched`,
  summary: `a job with ${CROSSOVER.objects} objects of ${CROSSOVER.pages} pages`,
  clients: 1,
  objects: range(CROSSOVER.objects).map(() => CROSSOVER.pages),
  jobs: [{ client: 0, refers: range(CROSSOVER.objects), touches: range(touched) }],
});

export const CROSSOVER_TOUCHED = [1, 2, 4, 8, 16, 32];
export const CROSSOVER_OBJECTS = CROSSOVER.objects;
