import { InputError } from '../../drivers/base/types/errors';

/** A number from 1 to `most`; InputError that names the option. */
export const parseCount = (place: string, text: string, most: number): number => {
  const count = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new InputError({ place, expected: `a number from 1 to ${most}`, found: `'${text}'` });
};
