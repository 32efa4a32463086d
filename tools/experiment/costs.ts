import { InputError } from '../../drivers/base/types/errors';
import { nearest } from '../board/nearest';
import { table } from '../report/table';

/*
 * What a CPU's work costs, in ns: counts are exact, and these make a time of them. Few of the figures
 * were ever published for any chip; what no source stands behind is assumed, of a core of about 1 GHz.
 */

/** What a GPU's driver does. */
export type GpuCostName = 'gpu-flush' | 'gpu-wait' | 'gpu-fault' | 'gpu-batch' | 'irq';

/** What is counted, and costs. */
export type CostName =
  | 'access'
  | 'fill-near'
  | 'fill-memory'
  | 'uncached-load'
  | 'uncached-store'
  | 'burst'
  | 'line'
  | 'dirty-line'
  | 'outer-line'
  | 'barrier'
  | 'table-write'
  | 'tlb'
  | GpuCostName;

/** A row of the table. */
export interface Cost {
  readonly nanoseconds: number;
  readonly what: string;
  /** Null: assumed. */
  readonly source: string | null;
}

export type CostTable = Readonly<Record<CostName, Cost>>;

const assumed = (nanoseconds: number, what: string): Cost => ({ nanoseconds, what, source: null });

/** The figures that hold unless others are given. */
export const COSTS: CostTable = {
  access: assumed(1, 'a load or store that goes through the first level'),
  'fill-near': assumed(20, 'a line that the next level has'),
  'fill-memory': assumed(120, 'a line from memory'),
  'uncached-load': assumed(150, 'a load that waits for memory'),
  'uncached-store': assumed(50, 'a store that nothing merges'),
  burst: assumed(100, 'stores of one line that a buffer has merged'),
  line: assumed(10, 'maintenance of a line that is not there, or clean'),
  'dirty-line': {
    nanoseconds: 30,
    what: 'so much more for a line that is written back',
    source: 'Cortex-A17, 1.25 GHz: a flush of 288 KiB takes 200 µs or more, 43 ns a line',
  },
  'outer-line': assumed(50, 'maintenance of a line of the outer cache: a register write'),
  barrier: assumed(100, 'a dsb that waits for maintenance or stores'),
  'table-write': assumed(10, 'an entry of a translation table'),
  tlb: assumed(1000, 'an invalidation of TLB entries'),
  'gpu-flush': assumed(1000, "a flush of a GPU's TLB in its stream: the pipeline drains"),
  'gpu-wait': assumed(10_000, 'to wait until the GPU has done what it was told'),
  'gpu-fault': assumed(2000, 'a fault that is serviced with others'),
  'gpu-batch': assumed(20_000, 'a batch of faults: a worker that is woken, and the replay'),
  irq: assumed(2000, 'an interrupt'),
};

const NAMES = Object.keys(COSTS) as readonly CostName[];
/** More than a second for one operation is a mistake. */
const MOST = 1e9;

/** The table with figures of `--cost NAME=NS`; InputError for another name, or no number. */
export const costTable = (options: readonly string[] = []): CostTable => {
  const changed: Partial<Record<CostName, Cost>> = {};
  for (const text of options) {
    const [, word = text, figure = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    const name = NAMES.find(one => one === word);
    if (name === undefined) {
      const [hint] = nearest(word, NAMES);
      const found = `'${word}'${hint === undefined ? '' : `; did you mean ${hint}?`}`;
      throw new InputError({ place: '--cost', expected: `NAME=NS of ${NAMES.join(', ')}`, found });
    }
    const nanoseconds = /^\d+(?:\.\d+)?$/.test(figure) ? Number(figure) : NaN;
    if (!(nanoseconds <= MOST)) {
      const expected = `${name}=NS, a number of ns up to ${MOST}`;
      throw new InputError({ place: '--cost', expected, found: `'${text}'` });
    }
    changed[name] = { ...COSTS[name], nanoseconds, source: '--cost' };
  }
  return { ...COSTS, ...changed };
};

/** So many of each: a time, in ns. */
export const timeOf = (costs: CostTable, counts: Partial<Record<CostName, number>>): number =>
  NAMES.reduce((sum, name) => sum + (counts[name] ?? 0) * costs[name].nanoseconds, 0);

/** 350 ns, 3.4 µs, 12 ms: two digits are more than such figures deserve. */
export const shownTime = (nanoseconds: number): string => {
  const units = ['ns', 'µs', 'ms', 's'];
  let value = nanoseconds;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`;
};

/** The table for a person: what was used, with its sources. */
export const costLines = (
  costs: CostTable,
  names: readonly CostName[],
  width: number,
): readonly string[] => {
  const rows = names.map(name => {
    const { nanoseconds, what, source } = costs[name];
    return [name, `${nanoseconds}`, `${what} (${source ?? 'assumed'})`];
  });
  return [
    '  ns, by which counts become times; --cost NAME=NS for another figure:',
    ...table(rows, { width, indent: 4, right: [1] }),
  ];
};
