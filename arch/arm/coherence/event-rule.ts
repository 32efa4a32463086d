import { at } from '../../../drivers/base/types/arrays';
import { Cacheability } from '../mmu/attributes';
import type { CheckerProfile, MemoryKind } from './profile';
import { CLEAN, CLEAN_INVALIDATE, INVALIDATE, NO_STORE } from './state';
import type { ByteState } from './state';
import type { Emit } from './transfers';

/** One event, as a rule instantiates it: which mapping, which alias, which operation. */
export interface EventVariant {
  readonly label: string;
  readonly kind: number;
  readonly alias: number;
  /** CLEAN, INVALIDATE or both; for a change of translation, the levels that it reaches. */
  readonly operation: number;
}

/** The byte is read, is written by a CPU or a device, or its contents become undefined. */
export type ValueEffect = 'read' | 'stored' | 'written by a device' | 'undefined';

export interface EventRule {
  readonly name: string;
  readonly source: string;
  /** What it does to the value of the byte; nothing if it is left out. */
  readonly effect?: ValueEffect;
  variants(profile: CheckerProfile): readonly EventVariant[];
  /** Emits every state that the event leads to; none if the event shows the state impossible. */
  apply(state: ByteState, profile: CheckerProfile, variant: EventVariant, emit: Emit): void;
}

const ONE: EventVariant = { label: '', kind: 0, alias: 0, operation: 0 };
export const when = (condition: boolean): readonly EventVariant[] => (condition ? [ONE] : []);
export const always = (): readonly EventVariant[] => [ONE];

export const kindAt = (profile: CheckerProfile, { kind }: EventVariant): MemoryKind =>
  at(profile.kinds, kind);
export const isCached = (kind: MemoryKind): boolean => kind.inner !== Cacheability.none;

/** One per kind of memory and, if the first level keeps it, alias. */
export const accesses = (
  profile: CheckerProfile,
  applies: (kind: MemoryKind) => boolean,
): readonly EventVariant[] =>
  profile.kinds.flatMap((kind, n) =>
    applies(kind)
      ? Array.from({ length: isCached(kind) ? profile.aliases : 1 }, (_, alias) => ({
          label: `${kind.name}${profile.aliases > 1 && isCached(kind) ? ` @${alias}` : ''}`,
          kind: n,
          alias,
          operation: 0,
        }))
      : [],
  );

export const eachAlias = (aliases: number): readonly EventVariant[] =>
  Array.from({ length: aliases }, (_, alias) => ({
    label: aliases > 1 ? `@${alias}` : '',
    kind: 0,
    alias,
    operation: 0,
  }));

const OPERATIONS = [
  ['clean', CLEAN],
  ['invalidate', INVALIDATE],
  ['clean+invalidate', CLEAN_INVALIDATE],
] as const;

export const operations = (aliases: number): readonly EventVariant[] =>
  OPERATIONS.flatMap(([name, operation]) =>
    Array.from({ length: aliases }, (_, alias) => ({
      label: aliases > 1 ? `${name} @${alias}` : name,
      kind: 0,
      alias,
      operation,
    })),
  );

/** Stores of the line have not arrived. */
export const storesWait = (state: ByteState): boolean =>
  state.store !== NO_STORE || state.others !== 0;
