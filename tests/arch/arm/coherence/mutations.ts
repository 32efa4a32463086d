import type { EventRule } from '../../../../arch/arm/coherence/event-rule';
import type { SpontaneousRule } from '../../../../arch/arm/coherence/spontaneous';
import type { CheckerProfile } from '../../../../arch/arm/coherence/profile';
import { RULES, StateSets } from '../../../../arch/arm/coherence/sets';
import type { SemanticRules } from '../../../../arch/arm/coherence/sets';
import { compareAll, compareSequence } from './brute-compare';
import { BruteForce } from './brute-force';
import type { NamedProfile } from './profiles';

export interface Mutation {
  /** The row. */
  readonly name: string;
  /** What was done to it. */
  readonly label: string;
  readonly rules: SemanticRules;
  applies(profile: NamedProfile): boolean;
}

const replaced = <T>(list: readonly T[], old: T, by: T): readonly T[] =>
  list.map(item => (item === old ? by : item));

/** Of several lines together: wide-lines.test.ts breaks it. */
export const WITH_NEIGHBOUR = 'be written back with a neighbour';

const isRead = /load$|load by another|table walk$|device read$|^read through/;

/** A row that is right but for what it says it does to the value of the byte. */
const withoutEffect = (rule: EventRule): Mutation => {
  const { effect, ...broken } = rule;
  const rules = { ...RULES, events: replaced<EventRule>(RULES.events, rule, broken) };
  return {
    name: rule.name,
    label: `${rule.name}, not known to be ${String(effect)}`,
    rules,
    applies: ({ profile }) => rule.variants(profile).length > 0,
  };
};

/** Each row of the two tables broken once: it does nothing, or answers the opposite. */
export const mutations = (): readonly Mutation[] => [
  ...RULES.spontaneous
    .filter(({ name }) => name !== WITH_NEIGHBOUR)
    .map((rule): Mutation => {
      const broken: SpontaneousRule = { ...rule, step: () => undefined };
      const rules = { ...RULES, spontaneous: replaced(RULES.spontaneous, rule, broken) };
      return {
        name: rule.name,
        label: `${rule.name}, broken`,
        rules,
        applies: ({ profile }) => rule.applies(profile),
      };
    }),
  ...RULES.events.map((rule): Mutation => {
    const broken: EventRule = {
      ...rule,
      apply: (state, profile, variant, emit) => {
        if (!isRead.test(rule.name)) emit(state);
        else
          rule.apply(state, profile, variant, (after, latest = true) => {
            emit(after, !latest);
          });
      },
    };
    const rules = { ...RULES, events: replaced(RULES.events, rule, broken) };
    return {
      name: rule.name,
      label: `${rule.name}, broken`,
      rules,
      applies: ({ profile }) => rule.variants(profile).length > 0,
    };
  }),
  ...RULES.events.filter(({ effect }) => effect !== undefined).map(withoutEffect),
];

/** Every event, perhaps a `dsb`, then each event that the rule is about. */
const afterEach = (brute: BruteForce, rule: string): boolean => {
  const { events } = brute.sets;
  const about = [...brute.events.keys()].filter(n => {
    const event = brute.events[n];
    return [0, 1].some(byte => events[event?.eventFor(byte) ?? -1]?.rule === rule);
  });
  const dsb = brute.events.findIndex(({ name }) => name === 'dsb');
  const sequences = [...brute.events.keys()].flatMap(first =>
    about.flatMap(then => [
      [first, then],
      [first, dsb, then],
    ]),
  );
  return sequences.some(sequence => compareSequence(brute, sequence) !== null);
};

/**
 * What a poll says of the neighbours holds only after certain writes, which the comparison of all
 * sequences does not single out: the scenario of DESIGN section 5 in so many words.
 */
export const neighbourIsFresh = (profile: CheckerProfile, rules: SemanticRules): boolean => {
  const sets = new StateSets(profile, rules);
  const run = (set: number, ...names: readonly string[]): number =>
    names.reduce((at, name) => sets.next(at, sets.eventOf(name)), set);
  const polled = run(sets.initial, 'load of another byte', 'device write', 'load of another byte');
  const seen = run(polled, 'seen another byte');
  const load = sets.eventOf('load');
  return sets.verdict(polled, load) !== 0 && sets.verdict(seen, load) === 0;
};

/**
 * Whether any comparison notices the mutation, on the first profiles that have the rule: two
 * bytes, single events, events before the rule's own, then longer sequences chosen by `choose`.
 */
export const isNoticed = (
  mutation: Mutation,
  profiles: readonly NamedProfile[],
  sequences: number,
  choose: (bound: number) => number,
): boolean => {
  for (const { profile } of profiles.filter(named => mutation.applies(named)).slice(0, 3)) {
    if (mutation.name === 'seen another byte' && !neighbourIsFresh(profile, mutation.rules))
      return true;
    const brute = new BruteForce(profile, 2, mutation.rules);
    if (compareAll(brute, 1).difference !== null) return true;
    if (afterEach(brute, mutation.name)) return true;
    for (let n = 0; n < sequences; n++) {
      const choices = Array.from({ length: 5 }, () => choose(brute.events.length));
      if (compareSequence(brute, choices) !== null) return true;
    }
  }
  return false;
};
