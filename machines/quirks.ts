import type { DtNode } from '../drivers/of/tree';
import { InputError, UnmodelledError } from '../drivers/base/types/errors';
import { highbankSregs, mvebuHwcc } from './quirks/coherency';
import { dmaZoneSize } from './quirks/dma-zone';
import {
  ipmmuAllowlist,
  omapIommuNoXlate,
  qcomSmmuIdentity,
  tegraSmmuNoDmaDomain,
} from './quirks/iommu';
import { keystoneOffset, sunxiMbusLegacy } from './quirks/offsets';
import type { DmaFacts, MachineFacts, Quirk, QuirkContext } from './quirks/quirk';

export type { DmaFacts, MachineFacts, Quirk, QuirkContext } from './quirks/quirk';

/*
 * What Linux 6.1 knows of a machine beside its tree, by name: each can be switched off, or on
 * where it would not apply by itself.
 */

/** In the order in which they are applied. */
export const QUIRKS: readonly Quirk[] = [
  mvebuHwcc,
  highbankSregs,
  sunxiMbusLegacy,
  keystoneOffset,
  omapIommuNoXlate,
  tegraSmmuNoDmaDomain,
  qcomSmmuIdentity,
  ipmmuAllowlist,
  dmaZoneSize,
];

/** `+name` or `-name` of the command line. */
export interface QuirkChoice {
  readonly name: string;
  readonly on: boolean;
}

/** Whether a quirk applies to a machine, and why or why not. */
export interface QuirkOutcome {
  readonly name: string;
  readonly applied: boolean;
  readonly reason: string;
}

/**
 * All quirks, decided for one machine. InputError for a name that none has, UnmodelledError for
 * switching off what the machine cannot be modelled without.
 */
export class Quirks {
  readonly outcomes: readonly QuirkOutcome[];
  readonly #applied: readonly Quirk[];
  readonly #context: QuirkContext;

  constructor(context: QuirkContext, choices: readonly QuirkChoice[]) {
    for (const { name } of choices) {
      if (QUIRKS.some(quirk => quirk.name === name)) continue;
      const names = QUIRKS.map(quirk => quirk.name).join(', ');
      throw new InputError({ place: '--quirk', expected: `one of ${names}`, found: name });
    }
    this.#context = context;
    this.outcomes = QUIRKS.map(quirk => decide(quirk, context, choices));
    this.#applied = QUIRKS.filter((_, i) => this.outcomes[i]?.applied === true);
  }

  /** The quirk that makes every device coherent before it is configured, or null. */
  get coherentBefore(): string | null {
    return this.#applied.find(({ coherentBefore }) => coherentBefore === true)?.name ?? null;
  }

  /** What the quirks make of a device that is configured. */
  device(facts: DmaFacts, node: DtNode): DmaFacts {
    return this.#applied.reduce((now, { name, device }) => {
      const next = device?.(now, node, this.#context) ?? now;
      return next === now ? now : { ...next, quirks: [...now.quirks, name] };
    }, facts);
  }

  machine(byTree: MachineFacts): MachineFacts {
    return this.#applied.reduce((now, { machine }) => machine?.(now, this.#context) ?? now, byTree);
  }
}

const decide = (
  quirk: Quirk,
  context: QuirkContext,
  choices: readonly QuirkChoice[],
): QuirkOutcome => {
  const { name, source, unmodelledWithout } = quirk;
  const reason = quirk.applies(context);
  const choice = choices.findLast(candidate => candidate.name === name);
  if (choice === undefined) {
    const why = reason ?? 'this machine does not have it';
    return { name, applied: reason !== null, reason: `${why} (${source})` };
  }
  if (!choice.on && reason !== null && unmodelledWithout !== undefined) {
    throw new UnmodelledError(`--quirk=-${name}`, unmodelledWithout);
  }
  const asked = `asked for with --quirk=${choice.on ? '+' : '-'}${name}`;
  return { name, applied: choice.on, reason: asked };
};
