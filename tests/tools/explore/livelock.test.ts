import test from 'ava';
import type { PolicyName } from '../../../drivers/gpu/drm/policies';
import { livelockScenario } from '../../../tools/explore/livelock/world';
import { search } from '../../../tools/explore/search';
import { exploreCell } from '../../../tools/explore/livelock/livelock';
import { main } from '../../../tools/main';
import { TestHost } from '../../support/host';

const host = new TestHost();
const LIMIT = 200_000;

type Kind = 'progress' | 'deadlock' | 'livelock';

/** Slots, and what each client needs. */
const SCOPES = [
  [4, [3, 3]],
  [5, [3, 3]],
  [6, [3, 3]],
  [4, [3, 2]],
  [4, [2, 2, 2]],
] as const;

/** Verdicts of a model of its own, over all interleavings too: not of this code. */
const ORACLE: Readonly<Partial<Record<PolicyName, readonly Kind[]>>> = {
  'incremental-lru': ['livelock', 'livelock', 'progress', 'livelock', 'livelock'],
  'pin-wait': ['deadlock', 'progress', 'progress', 'progress', 'progress'],
  'release-retry': ['livelock', 'progress', 'progress', 'progress', 'progress'],
  'oldest-ticket': ['progress', 'progress', 'progress', 'progress', 'progress'],
  'all-or-nothing': ['progress', 'progress', 'progress', 'progress', 'progress'],
};

for (const [policy, kinds] of Object.entries(ORACLE) as [PolicyName, readonly Kind[]][]) {
  test(`${policy}: the verdict of each scope is the oracle's, and its schedule replays`, t => {
    for (const [i, [slots, clients]] of SCOPES.entries()) {
      const finding = search(livelockScenario({ slots, clients, policy }), LIMIT, host, policy);
      t.is(finding?.kind, kinds[i], `${slots} {${clients.join()}}`);
      t.true(finding?.isWhole);
      t.is(finding?.isConfirmed, kinds[i] === 'progress' ? null : true);
    }
  });
}

test('the verdicts are the same with every place where a task may be preempted, and every name', t => {
  const policies = ['incremental-lru', 'pin-wait', 'release-retry', 'oldest-ticket'] as const;
  for (const policy of policies) {
    for (const [slots, clients] of [SCOPES[0], SCOPES[3]]) {
      const scope = { slots, clients, policy };
      const reduced = search(livelockScenario(scope), LIMIT, host, policy);
      const full = search(livelockScenario(scope, false), LIMIT, host, policy);
      t.is(reduced?.kind, full?.kind);
      t.is(reduced?.starved === null, full?.starved === null, policy);
      t.true((reduced?.states ?? 0) < (full?.states ?? 0));
    }
  }
});

test('the other policies', t => {
  const kindOf = (policy: PolicyName, slots: number, clients: readonly number[]): unknown =>
    search(livelockScenario({ slots, clients, policy }), LIMIT, host, policy)?.kind;
  t.is(kindOf('global-lock', 4, [3, 3]), 'progress');
  t.is(kindOf('random-backoff', 4, [3, 3]), 'livelock', 'chance is no cure');
  t.is(kindOf('throttle-pin', 4, [3, 2]), 'progress');
  t.is(kindOf('fault-lru', 3, [2, 2]), 'livelock');
  t.is(kindOf('fault-lru', 4, [2, 2]), 'progress');
  t.is(kindOf('fault-batch', 3, [2, 2]), 'livelock', 'what is bound may go before it is used');
  t.is(kindOf('min-residency', 3, [2, 2]), 'progress');
  t.is(kindOf('min-residency', 2, [2, 2]), 'progress');
});

test('eight pages for twice six, to the end', t => {
  const verdicts = [
    ['pin-wait', 'deadlock'],
    ['release-retry', 'livelock'],
    ['global-lock', 'progress'],
  ] as const;
  for (const [policy, kind] of verdicts) {
    const finding = search(
      livelockScenario({ slots: 8, clients: [6, 6], policy }),
      LIMIT,
      host,
      '',
    );
    t.is(finding?.kind, kind);
    t.true(finding?.isWhole);
  }
});

test('a search that is cut short says what it has found, and else that it does not know', t => {
  const scope = { slots: 6, clients: [3, 3] };
  const cut = search(livelockScenario({ ...scope, policy: 'incremental-lru' }), 20, host, '');
  t.is(cut?.kind, 'unknown');
  t.false(cut?.isWhole);
});

test('a schedule tells who binds and who loses what', t => {
  const cell = exploreCell({ slots: 4, clients: [3, 3], policy: 'incremental-lru' }, LIMIT, host);
  const cycle = cell?.schedule?.slice(-cell.cycle) ?? [];
  const did = cycle.flatMap(step => step.did);
  t.true(did.some(what => /^binds 0\.[0-2]$/.test(what)));
  t.true(did.some(what => /^evicts 1\.[0-2]$/.test(what)));
});

const dmabench = async (...argv: readonly string[]): Promise<{ status: number; text: string }> => {
  const own = new TestHost();
  const status = await main(argv, own);
  return { status, text: own.out.text + own.err.text };
};

test('the command tells a verdict and its schedule, and fails where one policy livelocks', async t => {
  const asked = ['explore', 'livelock', '--policy', 'pin-wait', '--slots'];
  const { status, text } = await dmabench(...asked, '4', '--clients', '3,3');
  t.is(status, 1);
  t.regex(text, /pin-wait +DEADLOCK/);
  t.regex(text, /client 1: sleeps in wait_for_room/);
  const json = await dmabench(...asked, '6', '--format', 'json');
  t.is(json.status, 0);
  t.like(JSON.parse(json.text), { cells: [{ kind: 'progress', schedule: null, isWhole: true }] });
});

test('what cannot be explored is refused with what can', async t => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['nothing'], /expected livelock/],
    [['livelock', '--policy', 'luck'], /--policy: expected incremental-lru/],
    [['livelock', '--clients', '3,x'], /--clients: expected up to 4 numbers/],
    [['livelock', '--clients', '1,1,1,1,1'], /--clients/],
    [['livelock', '--slots', '2', '--clients', '3,3'], /--slots: expected at least 3/],
    [['livelock', '--states', '0'], /--states: expected a number from 1/],
    [[], /which exploration/],
  ];
  for (const [argv, message] of wrong) {
    const { status, text } = await dmabench('explore', ...argv);
    t.is(status, 2);
    t.regex(text, message);
  }
});
