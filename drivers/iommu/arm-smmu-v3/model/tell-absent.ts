import type { GuestErrorSink } from '../../../base/hw/device';
import { hex } from '../../../base/types/address';
import { UnmodelledError } from '../../../base/types/errors';
import { askedOf } from '../regs/absent';
import type { Absent } from '../regs/absent';
import type { Words } from '../regs/words';

/**
 * Tells what is asked for and not there, each by its field's name; what meets the transaction or
 * the command is up to the caller. `code`: STE.CONFIG or COMMAND.OP. UnmodelledError for a gap.
 */
export const tellAbsent = (
  list: readonly Absent[],
  words: Words,
  code: number,
  onGuestError: GuestErrorSink,
): void => {
  for (const { name, field, what, isGap } of askedOf(list, words, code)) {
    const feature = `${name} ${hex(field.of(words))}`;
    if (isGap === true) throw new UnmodelledError(feature, what);
    onGuestError(`${feature}: ${what}, which the SMMU has not`);
  }
};
