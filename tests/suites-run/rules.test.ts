import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { Finding } from '../../drivers/base/types/finding';
import { RULES } from '../../drivers/base/types/rules';
import type { RuleId } from '../../drivers/base/types/rules';
import { openBoard, planBoard } from '../../tools/board/open';
import { allCases } from '../../tools/run/results';
import { runSuites } from '../../tools/run/runner';
import { DriverBench } from '../suites/driver-bench';
import { RULE_EXAMPLES } from '../suites/rules';
import type { RuleExample } from '../suites/rules/example';
import type { Suite } from '../suites/suite';

/*
 * What a finding says once it has been investigated: the examples of the rules, run as a user's
 * suite would be.
 */

/** An example's wrong driver as a suite that leaves its findings to the run. */
const suiteOf = (example: RuleExample): Suite => ({
  name: 'example',
  summary: example.rule,
  cases: [
    {
      name: 'wrong',
      unfit: example.applies,
      run: t => {
        const bench = DriverBench.on(t.machine, example.master ?? 'non-coherent');
        if (bench === null) return t.skip('no such master');
        example.wrong(bench);
        t.ok(true, 'the end to be reached');
      },
    },
  ],
});

/** The findings of the wrong driver on a board; null where it cannot be shown. */
const investigated = (board: string, example: RuleExample): readonly Finding[] | null => {
  const dmaMemory = { iommuStrict: example.master !== 'lazy' };
  const overlays = example.overlay === undefined ? [] : [example.overlay(board)];
  const result = runSuites({
    board,
    plan: planBoard(openBoard(board, overlays), { memory: null, quirks: [], dmaMemory }),
    suites: [suiteOf(example)],
    selects: () => true,
    adversary: { kind: 'all' },
    seed: 1,
    timings: ['earliest', 'latest'],
    streaming: ALL_STEPS,
  });
  const isSkipped = allCases(result).every(({ outcome }) => outcome === 'skipped');
  return isSkipped ? null : result.findings.map(({ finding }) => finding);
};

const isNote = (rule: RuleId): boolean => RULES[rule].severity === 'note';

/**
 * Where an example is looked for, in this order, until one shows it: tests/corpus runs all of them on
 * a board of each kind of caches.
 */
const BOARDS = ['imx6q-sabresd', 'rpi-b', 'vexpress-a15', 'juno', 'versatile-pb'];

for (const example of Object.values(RULE_EXAMPLES)) {
  const { rule, consequences = [], provisional = [] } = example;
  const expected: readonly RuleId[] = [rule, ...consequences, ...provisional];
  test(`${rule}: the wrong driver is found for it, with proof`, t => {
    const isBehind = example.master === 'lazy' || example.master === 'translated';
    for (const board of isBehind ? ['mixed'] : BOARDS) {
      const findings = investigated(board, example);
      if (findings === null) continue;
      const rules = findings.map(finding => finding.rule);
      t.true(rules.includes(rule), `${board}: ${rules.join(', ')}`);
      const others = rules.filter(one => !isNote(one) && !expected.includes(one));
      t.deepEqual(others, [], board);
      const unproven = findings.filter(({ confirmed }) => !confirmed);
      t.deepEqual(
        unproven.map(finding => finding.rule),
        [],
        `${board}: without proof`,
      );
      return;
    }
    t.fail('no board shows it');
  });
}

test('every rule has an example, under its own name', t => {
  t.deepEqual(Object.keys(RULE_EXAMPLES), Object.keys(RULES));
  for (const [id, { rule }] of Object.entries(RULE_EXAMPLES)) t.is<string, string>(rule, id);
});
