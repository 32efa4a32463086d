import { InputError } from '../../drivers/base/types/errors';
import type { ExploreArguments } from '../commands/arguments';

/** A number from 1 to `most`; InputError that names the option. */
export const parseCount = (place: string, text: string, most: number): number => {
  const count = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new InputError({ place, expected: `a number from 1 to ${most}`, found: `'${text}'` });
};

const MOST_CLIENTS = 4;
const MOST_OBJECTS = 16;
const MOST_SLOTS = 64;

/** `3,3`: how much each client needs at once. */
const parseClients = (text: string): readonly number[] => {
  const clients = text.split(',').map(word => (/^[0-9]{1,2}$/.test(word) ? Number(word) : 0));
  const isRight = clients.every(count => count >= 1 && count <= MOST_OBJECTS);
  if (isRight && clients.length <= MOST_CLIENTS) return clients;
  const expected = `up to ${MOST_CLIENTS} numbers of objects from 1 to ${MOST_OBJECTS}, such as 3,3`;
  throw new InputError({ place: '--clients', expected, found: `'${text}'` });
};

/**
 * What clients need and how much there is, 4 for 3,3 if not asked otherwise; InputError where there is
 * less than one of them needs, who is called `whose`.
 */
export const parseScope = (
  { slots = '4', clients = '3,3' }: Pick<ExploreArguments, 'slots' | 'clients'>,
  whose: string,
): { readonly slots: number; readonly clients: readonly number[] } => {
  const needs = parseClients(clients);
  const count = parseCount('--slots', slots, MOST_SLOTS);
  const least = Math.max(...needs);
  if (count >= least) return { slots: count, clients: needs };
  const expected = `at least ${least}, which one ${whose} needs`;
  throw new InputError({ place: '--slots', expected, found: `'${count}'` });
};
