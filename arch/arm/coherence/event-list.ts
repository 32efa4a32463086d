import { at } from '../../../drivers/base/types/arrays';
import type { EventRule, EventVariant } from './event-rule';
import type { CheckerProfile } from './profile';
import { BESIDE_DIRTY, MAPPABILITIES } from './spontaneous';

/** The rule of the events that change what translations reach; they come last. */
export const MAPPING = 'mapping';

export interface CheckerEvent {
  readonly name: string;
  readonly rule: string;
  readonly variant: EventVariant;
}

/** Aliases and operations are below 4. */
const variantKey = (kind: number, alias: number, operation: number): number =>
  (kind << 4) | (alias << 2) | operation;

/** The events of a profile, by number and by name. */
export class EventList {
  readonly events: readonly CheckerEvent[];
  readonly #rules: readonly EventRule[];
  readonly #byRule = new Map<string, Map<number, number>>();
  readonly #byName = new Map<string, number>();

  constructor(profile: CheckerProfile, rules: readonly EventRule[]) {
    const events: CheckerEvent[] = [];
    const ruleOf: EventRule[] = [];
    for (const rule of rules) {
      for (const variant of rule.variants(profile)) {
        const name = variant.label === '' ? rule.name : `${rule.name}: ${variant.label}`;
        events.push({ name, rule: rule.name, variant });
        ruleOf.push(rule);
      }
    }
    for (let live = 0; live < (profile.neighbours > 1 ? MAPPABILITIES : BESIDE_DIRTY); live++) {
      const variant = { label: `${live}`, kind: 0, alias: 0, operation: live };
      events.push({ name: `${MAPPING}: ${live}`, rule: MAPPING, variant });
    }
    this.events = events;
    this.#rules = ruleOf;
    events.forEach(({ name, rule, variant }, event) => {
      const ofRule = this.#byRule.get(rule) ?? new Map<number, number>();
      ofRule.set(variantKey(variant.kind, variant.alias, variant.operation), event);
      this.#byRule.set(rule, ofRule);
      this.#byName.set(name, event);
    });
  }

  /** The rule of an event; of a change of what translations reach there is none. */
  ruleOf(event: number): EventRule | undefined {
    return this.#rules[event];
  }

  variantOf(event: number): EventVariant {
    return at(this.events, event).variant;
  }

  /** The number of an event, -1 if the profile has none of that name. */
  named(name: string): number {
    return this.#byName.get(name) ?? -1;
  }

  /** The number of an event of a rule by its kind, alias and operation; -1 if there is none. */
  numberOf(rule: string, kind: number, alias: number, operation: number): number {
    return this.#byRule.get(rule)?.get(variantKey(kind, alias, operation)) ?? -1;
  }
}
