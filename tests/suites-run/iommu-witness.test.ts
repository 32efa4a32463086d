import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { invariant } from '../../drivers/base/types/errors';
import { openBoard, planRun } from '../../tools/board/open';
import { runSuites } from '../../tools/run/runner';
import { IOMMU_BUGS } from '../suites/iommu-bugs';
import { iommuMasters, withOwnDomain } from '../suites/iommu-support';
import type { Case } from '../suites/suite';

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
