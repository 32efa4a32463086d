import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { runSuites } from '../../tools/run/runner';
import { DMA_RULES, dmaRulesSuite } from '../suites/dma-rules';
import { planOf } from '../support/booted';

/*
 * tests/suites/README.md: which rule of the kernel's documents on DMA is shown by which back end,
 * and how.
 */

export const RULES_README = join(__dirname, '../suites/README.md');

/** Between them they have every back end there is. */
const BOARDS = ['versatile-pb', 'rpi-b', 'vexpress-a15', 'highbank', 'juno'];

/** The rules of the documents have these numbers; those of dma-buf and fences follow. */
export const LAST_RULE = 81;

/** Rules that are not in the suite. */
const ABSENT: readonly (readonly [first: number, last: number, what: string])[] = [
  [2, 3, 'order of what is written to coherent memory: `bugs` has rings'],
  [5, 5, 'no free in an interrupt'],
  [10, 10, 'pools are made where one may sleep'],
  [13, 13, 'zeroed blocks'],
  [15, 15, 'a pool that is busy is not destroyed: its memory would never be given back'],
  [16, 16, 'no DMA before a mask was taken: what is beyond the mask is refused, see 24'],
  [26, 27, 'memory of the kernel image, stacks'],
  [50, 50, 'a list that is mapped twice'],
  [54, 54, 'lists that end early: no board of the table merges'],
  [56, 56, 'calls without attributes'],
  [61, 61, 'flushes of vmapped memory'],
  [63, 72, 'other attributes'],
  [73, 81, 'swiotlb: no board of the table bounces'],
];

/** Rules that are neither shown nor accounted for. */
export const missingRules = (): number[] =>
  Array.from({ length: LAST_RULE }, (_, i) => i + 1).filter(
    number =>
      !DMA_RULES.some(rule => rule.number === number) &&
      !ABSENT.some(([first, last]) => number >= first && number <= last),
  );

/** By rule and back end: what was shown; by rule alone: whether some board failed it. */
interface Shown {
  readonly cells: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly failed: readonly string[];
}

const show = (): Shown => {
  const cells = new Map<string, Map<string, string>>();
  const failed: string[] = [];
  for (const board of BOARDS) {
    const { suites } = runSuites({
      ...{ board, plan: planOf(board), suites: [dmaRulesSuite], selects: () => true },
      ...{ adversary: { kind: 'all' } as const, seed: 1, streaming: ALL_STEPS },
      ...{ timings: ['latest'] as const, investigated: 0 },
    });
    for (const { name, outcome, row } of suites.flatMap(({ cases }) => cases)) {
      if (outcome === 'failed') failed.push(`${board}: ${name}`);
      const known = cells.get(name) ?? new Map<string, string>();
      for (const [backEnd, text] of Object.entries(row ?? {})) {
        const before = known.get(backEnd);
        known.set(backEnd, before === undefined || before === text ? text : `${before}; ${text}`);
      }
      cells.set(name, known);
    }
  }
  return { cells, failed };
};

const COLUMNS = ['v4wb', 'v6', 'v7', 'v7 PL310', 'v8', 'coherent'];

const lineOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The text of the README, and the rules that some board fails. */
export const renderRules = (): { readonly text: string; readonly failed: readonly string[] } => {
  const { cells, failed } = show();
  const seen = [...cells.values()].flatMap(row => [...row.keys()]);
  const columns = [...COLUMNS, ...new Set(seen.filter(name => !COLUMNS.includes(name)))];
  const rows = [...cells].map(([name, row]) => {
    const [, number = '', words = ''] = /^rule_(\d+)_(.*)$/.exec(name) ?? [];
    const shown = columns.map(column => row.get(column) ?? '');
    return lineOf([String(Number(number)), words.replaceAll('_', ' '), ...shown]);
  });
  const absent = ABSENT.map(
    ([first, last, what]) => `- ${first === last ? first : `${first} to ${last}`}: ${what}`,
  );
  const text = [
    '# The rules of DMA',
    '',
    "The suite `dma-rules` holds every back end of a machine to the numbered rules of the kernel's documents on DMA. _kept_: what is",
    'right works, and nobody complains. The name of a rule of findings: a misuse is caught by it. _harmless_: nothing can come of the',
    'misuse there. _not kept_: Linux itself does not keep the rule there, and what is found says so. Blank: nothing there to show it with.',
    '',
    'Made by `npm run rules-table`.',
    '',
    lineOf(['', 'rule', ...columns]),
    lineOf(['---:', '---', ...columns.map(() => '---')]),
    ...rows,
    '',
    'Not in this suite yet:',
    '',
    ...absent,
    '',
  ].join('\n');
  return { text, failed };
};

/** What the README says today. */
export const readRules = (): string => readFileSync(RULES_README, 'utf8');
