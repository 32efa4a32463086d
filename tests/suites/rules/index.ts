import { RULES } from '../../../drivers/base/types/rules';
import type { RuleId } from '../../../drivers/base/types/rules';
import { DriverBench } from '../driver-bench';
import type { Case, CaseContext, Suite } from '../suite';
import { example as cacheabilityMismatch } from './cacheability-mismatch';
import { example as coherentInHardwareOnly } from './coherent-in-hardware-only';
import { example as coherentInTreeOnly } from './coherent-in-tree-only';
import { example as cpuAccessAfterFree } from './cpu-access-after-free';
import { example as cpuAccessInTransfer } from './cpu-access-in-transfer';
import { example as cpuAccessToDeviceBuffer } from './cpu-access-to-device-buffer';
import { example as deviceAccessAfterUnmap } from './device-access-after-unmap';
import { example as deviceAccessAgainstDirection } from './device-access-against-direction';
import { example as deviceAccessNotGiven } from './device-access-not-given';
import { example as deviceAccessUnmapped } from './device-access-unmapped';
import { example as dirtyLineOverDeviceData } from './dirty-line-over-device-data';
import { example as dmaDebug } from './dma-debug';
import type { RuleExample } from './example';
import { example as invalidateOfDirtyBytes } from './invalidate-of-dirty-bytes';
import { example as lazyInvalidation } from './lazy-invalidation';
import { example as lostCpuWrite } from './lost-cpu-write';
import { example as lostDeviceWrite } from './lost-device-write';
import { example as memoryTypeMismatch } from './memory-type-mismatch';
import { example as missingCompletion } from './missing-completion';
import { example as missingOuterSync } from './missing-outer-sync';
import { example as missingReadBarrier } from './missing-read-barrier';
import { example as missingWriteBarrier } from './missing-write-barrier';
import { example as neverWrittenBytes } from './never-written-bytes';
import { example as refillAfterInvalidate } from './refill-after-invalidate';
import { example as sharedLine } from './shared-line';
import { example as staleCpuRead } from './stale-cpu-read';
import { example as staleDeviceCache } from './stale-device-cache';
import { example as staleDeviceRead } from './stale-device-read';
import { example as staleTableWord } from './stale-table-word';
import { example as staleTranslation } from './stale-translation';
import { example as tableFreedInUse } from './table-freed-in-use';

/** One example for every rule, in the order of the list of rules. */
export const RULE_EXAMPLES: Readonly<Record<RuleId, RuleExample>> = {
  'stale-cpu-read': staleCpuRead,
  'stale-device-read': staleDeviceRead,
  'lost-device-write': lostDeviceWrite,
  'lost-cpu-write': lostCpuWrite,
  'refill-after-invalidate': refillAfterInvalidate,
  'dirty-line-over-device-data': dirtyLineOverDeviceData,
  'shared-line': sharedLine,
  'invalidate-of-dirty-bytes': invalidateOfDirtyBytes,
  'never-written-bytes': neverWrittenBytes,
  'cpu-access-to-device-buffer': cpuAccessToDeviceBuffer,
  'cpu-access-in-transfer': cpuAccessInTransfer,
  'cpu-access-after-free': cpuAccessAfterFree,
  'device-access-unmapped': deviceAccessUnmapped,
  'device-access-not-given': deviceAccessNotGiven,
  'device-access-against-direction': deviceAccessAgainstDirection,
  'device-access-after-unmap': deviceAccessAfterUnmap,
  'memory-type-mismatch': memoryTypeMismatch,
  'cacheability-mismatch': cacheabilityMismatch,
  'stale-translation': staleTranslation,
  'lazy-invalidation': lazyInvalidation,
  'table-freed-in-use': tableFreedInUse,
  'stale-device-cache': staleDeviceCache,
  'stale-table-word': staleTableWord,
  'missing-write-barrier': missingWriteBarrier,
  'missing-completion': missingCompletion,
  'missing-outer-sync': missingOuterSync,
  'missing-read-barrier': missingReadBarrier,
  'coherent-in-tree-only': coherentInTreeOnly,
  'coherent-in-hardware-only': coherentInHardwareOnly,
  'dma-debug': dmaDebug,
};

/** What a driver runs on, or the end of the case: this machine has nothing to show it on. */
const benchFor = (t: CaseContext, example: RuleExample): DriverBench => {
  const master = example.master ?? 'non-coherent';
  const bench = DriverBench.on(t.machine, master);
  return bench ?? t.skip(`no ${master} master of this board reaches RAM`);
};

const isNote = (rule: RuleId): boolean => RULES[rule].severity === 'note';

/** The wrong driver makes findings of its rule, and none that is neither that nor follows from it. */
const checkWrong = (t: CaseContext, example: RuleExample, found: readonly RuleId[]): void => {
  const { rule, provisional = [], consequences = [] } = example;
  const own: readonly RuleId[] = [rule, ...provisional];
  t.ok(
    found.some(one => own.includes(one)),
    `the wrong driver to make a finding of ${rule}`,
  );
  const others = found.filter(one => !own.includes(one) && !consequences.includes(one));
  for (const other of new Set(others.filter(one => !isNote(one)))) {
    t.fail(`the wrong driver makes a finding of ${other}`);
  }
};

const checkRight = (t: CaseContext, { rule }: RuleExample, found: readonly RuleId[]): void => {
  const wrong = found.filter(one => one === rule || !isNote(one));
  t.ok(wrong.length === 0, `the right driver to make no finding, not ${wrong.join(', ')}`);
};

const caseOf = (example: RuleExample): Case => ({
  name: example.rule.replaceAll('-', '_'),
  unfit: example.applies,
  run: t => {
    const bench = benchFor(t, example);
    t.takeFindings();
    example.wrong(bench);
    checkWrong(t, example, t.takeFindings());
    example.right(bench);
    checkRight(t, example, t.takeFindings());
  },
});

export const rulesSuite: Suite = {
  name: 'rules',
  summary: 'every rule of the checker, broken and kept',
  unfit: machine => (machine.findings === null ? 'only a run under `all` has findings' : null),
  cases: Object.values(RULE_EXAMPLES).map(caseOf),
};
