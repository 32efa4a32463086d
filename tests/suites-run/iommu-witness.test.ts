import test from 'ava';
import { parseScript } from '../../arch/arm/adversary/script';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { KIB, MIB } from '../../drivers/base/types/bits';
import { invariant } from '../../drivers/base/types/errors';
import { pageSizesIn } from '../../mm/iommu/page-sizes';
import { openBoard, planRun } from '../../tools/board/open';
import { runSuites } from '../../tools/run/runner';
import { iommuSuite } from '../suites/iommu';
import { IOMMU_BUGS, iommuBugsSuite } from '../suites/iommu-bugs';
import { iommuMasters, withOwnDomain } from '../suites/iommu-support';
import type { Case, CaseContext } from '../suites/suite';

/* What an IOMMU kept is found with a schedule, which the machine with real caches follows. */

/** A mistake with the IOMMU of this address, and the step that shows it. */
const SHOWN: readonly (readonly [iommu: string, bug: string, rule: string, step: string])[] = [
  // Fetched again, unasked, through the caches: its walker snoops.
  ['50000000', 'the_tlb_is_flushed_before_the_table_is_written', 'stale-translation', 'use-kept'],
  ['50200000', 'a_table_is_freed_before_the_flush', 'table-freed-in-use', 'walk-kept'],
  // What led nowhere was kept, too.
  ['50300000', 'what_is_mapped_beside_a_mapping_is_not_zapped', 'stale-translation', 'use-kept'],
];

const caseOf = (iommu: string, name: string): Case => ({
  name: `${name}_${iommu}`,
  run: t => {
    const bug = IOMMU_BUGS.find(one => one.name === name);
    const master = iommuMasters(t.machine).find(({ nodes }) =>
      nodes.some(node => node.name.endsWith(iommu)),
    );
    invariant(bug !== undefined && master !== undefined, name);
    withOwnDomain(t, master, own => {
      bug.run(t, own, true);
    });
  },
});

test('what an IOMMU kept is shown by one step, which replays with real caches', t => {
  const { findings } = runSuites({
    board: 'iommus',
    plan: planRun(openBoard('iommus', []), { memory: null, quirks: [] }),
    suites: [{ name: 's', summary: '', cases: SHOWN.map(([iommu, bug]) => caseOf(iommu, bug)) }],
    ...{ selects: () => true, seed: 1, timings: ['latest'], streaming: ALL_STEPS },
    adversary: { kind: 'all' },
  });
  const shown = SHOWN.map(([iommu, bug, rule]) =>
    findings.find(
      ({ finding, cases }) =>
        finding.rule === rule && cases.some(name => name === `s.${bug}_${iommu}`),
    ),
  );
  t.deepEqual(
    shown.map(found => [found?.finding.confirmed, found?.proof, found?.script?.length]),
    SHOWN.map(() => [true, 'replayed', 1]),
  );
  t.deepEqual(
    shown.map(found => /"step":"([^"]*)"/.exec(found?.script?.[0] ?? '')?.[1]),
    SHOWN.map(([, , , step]) => step),
  );
  t.deepEqual(
    findings.filter(({ proof }) => proof === 'not-replayed').map(({ finding }) => finding.rule),
    [],
  );
});

test('each of several words that are not cleaned is shown by a schedule of its own', t => {
  const bug = IOMMU_BUGS.find(({ name }) => name === 'a_word_of_a_table_is_not_cleaned');
  invariant(bug !== undefined, 'no such bug');
  const twice: Case = {
    name: 'twice',
    run: inner => {
      for (const master of iommuMasters(inner.machine).filter(bug.serves).slice(0, 2)) {
        withOwnDomain(inner, master, own => {
          bug.run(inner, own, true);
        });
      }
    },
  };
  const common = {
    board: 'iommus',
    plan: planRun(openBoard('iommus', []), { memory: null, quirks: [] }),
    suites: [{ name: 's', summary: '', cases: [twice] }],
    ...{ selects: () => true, seed: 1, timings: ['latest' as const], streaming: ALL_STEPS },
  };
  const { findings } = runSuites({ ...common, adversary: { kind: 'all' } });
  const words = findings.filter(({ finding }) => finding.rule === 'stale-table-word');
  t.deepEqual(
    words.map(({ proof }) => proof),
    ['replayed', 'replayed'],
  );
  const [, second] = words;
  // What the first walk would miss has been written back, so that the case comes to the second.
  const steps = second?.script ?? [];
  t.true(steps.some(line => line.includes('"step":"write-back-inner"')));
  const script = parseScript(steps.join('\n'), 'second');
  const followed = runSuites({ ...common, adversary: { kind: 'script', script } });
  t.deepEqual(
    followed.stale.map(({ bytes }) => bytes.start),
    [second?.finding.bytes.start],
  );
});

const sizes = ({ machine }: CaseContext): readonly number[] =>
  iommuMasters(machine).flatMap(({ nodes, dev }) =>
    nodes.some(({ compatible }) => compatible.includes('arm,mmu-500'))
      ? pageSizesIn(machine.kernel.iommus.dmaDomain(dev)?.ops.pageSizes ?? 0)
      : [],
  );

test('a kernel of 32 bits without LPAE gives an MMU-500 short descriptors', t => {
  const short: Case = {
    name: 'short_descriptors',
    run: inner => {
      t.deepEqual(new Set(sizes(inner)), new Set([4 * KIB, 64 * KIB, MIB, 16 * MIB]));
      inner.ok(true, 'to be asked');
    },
  };
  const names = ['large_pages_lead_where_small_ones_do', 'a_table_is_freed_before_the_flush'];
  const cases = [...iommuSuite.cases, ...iommuBugsSuite.cases].filter(({ name }) =>
    names.includes(name),
  );
  const { suites } = runSuites({
    board: 'mixed',
    plan: planRun(openBoard('mixed', ['smmu-mixed']), { memory: null, quirks: [] }),
    suites: [{ name: 's', summary: '', cases: [short, ...cases] }],
    ...{ selects: () => true, seed: 1, timings: ['latest'], streaming: ALL_STEPS },
    adversary: { kind: 'all' },
  });
  t.deepEqual(
    suites[0]?.cases.map(({ outcome }) => outcome),
    ['passed', 'passed', 'passed'],
  );
});
