import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { runSuites } from '../../tools/run/runner';
import { DMA_RULES, dmaRulesSuite } from '../suites/dma-rules';
import { isUnfit } from '../suites/dma-rules/rule';
import { planOf } from '../support/booted';
import { PARITY_LINES } from './gpu-parity';

/*
 * tests/suites/README.md: which rule of the kernel's documents on DMA is shown by which back end,
 * and how.
 */

export const RULES_README = join(__dirname, '../suites/README.md');

/** Between them they have every back end there is. */
const BOARDS = ['versatile-pb', 'rpi-b', 'vexpress-a15', 'highbank', 'juno', 'mixed'];
/** And one with what 32-bit kernels before 6.0 had to bounce with. */
const DMABOUNCE = 'versatile-pb';

/** The rules of the documents have these numbers; those of dma-buf and fences follow. */
export const LAST_RULE = 81;

/** Rules that are not in the suite, and why. */
const ABSENT: readonly (readonly [rule: number, why: string])[] = [
  [71, 'DMA_ATTR_DEBUGGING_IGNORE_CACHELINES: of kernels after 6.12, and of dma-debug alone'],
  [72, 'DMA_ATTR_CC_SHARED: no machine here has encrypted memory'],
];

/** Rules that are neither shown nor accounted for. */
export const missingRules = (): number[] =>
  Array.from({ length: LAST_RULE }, (_, i) => i + 1).filter(
    number =>
      !DMA_RULES.some(rule => rule.number === number) &&
      !ABSENT.some(([absent]) => absent === number),
  );

/** By rule and back end: what was shown; by rule alone: whether some board failed it. */
interface Shown {
  readonly cells: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly failed: readonly string[];
}

/** What two boards say of one back end: a reason that there is nothing gives way to anything. */
const joined = (before: string | undefined, text: string): string => {
  if (before === undefined || isUnfit(before)) return text;
  const isKnown = isUnfit(text) || before.split('; ').includes(text);
  return isKnown ? before : `${before}; ${text}`;
};

const show = (): Shown => {
  const cells = new Map<string, Map<string, string>>();
  const failed: string[] = [];
  const plans = [
    ...BOARDS.map(board => [board, planOf(board)] as const),
    [`${DMABOUNCE} --bounce dmabounce`, { ...planOf(DMABOUNCE), bounce: 'dmabounce' }] as const,
  ];
  for (const [board, plan] of plans) {
    const { suites } = runSuites({
      ...{ board, plan, suites: [dmaRulesSuite], selects: () => true },
      ...{ adversary: { kind: 'all' } as const, seed: 1, streaming: ALL_STEPS },
      ...{ timings: ['latest'] as const, investigated: 0 },
    });
    const cases = suites.flatMap(suite => suite.cases);
    const backEnds = [...new Set(cases.flatMap(({ row }) => Object.keys(row ?? {})))];
    for (const { name, outcome, row, lines } of cases) {
      if (outcome === 'failed') failed.push(`${board}: ${name}`);
      const skipped = Object.fromEntries(backEnds.map(one => [one, `– ${lines.join('; ')}`]));
      const known = cells.get(name) ?? new Map<string, string>();
      for (const [backEnd, text] of Object.entries(row ?? skipped)) {
        known.set(backEnd, joined(known.get(backEnd), text));
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
  const absent = ABSENT.map(([number, why]) => `- ${number}: ${why}`);
  const text = [
    '# The rules of DMA',
    '',
    "The suite `dma-rules` holds every back end of a machine to the numbered rules of the kernel's documents on DMA. _kept_: what is",
    'right works, and nobody complains. The name of a rule of findings: a misuse is caught by it. _oops_: the kernel stops at a misuse.',
    '_harmless_: nothing can come of the misuse there. _not kept_: Linux itself does not keep the rule there, and what is found says so.',
    '–: nothing there to show it with, and why.',
    '',
    `On ${BOARDS.join(', ')}. What bounces is a device that nobody trusts, on the boards that have swiotlb;`,
    `and everything under \`--bounce dmabounce\`, on ${DMABOUNCE}.`,
    '',
    'Made by `npm run rules-table`.',
    '',
    lineOf(['', 'rule', ...columns]),
    lineOf(['---:', '---', ...columns.map(() => '---')]),
    ...rows,
    '',
    'Not in this suite:',
    '',
    ...absent,
    ...PARITY_LINES,
  ].join('\n');
  return { text, failed };
};

/** What the README says today. */
export const readRules = (): string => readFileSync(RULES_README, 'utf8');
