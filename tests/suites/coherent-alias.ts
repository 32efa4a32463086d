import { figureSource } from '../../arch/arm/profile';
import type { Machine } from '../../machines/machine';
import { coreOf } from './driver-bench';

/** What a cacheable mapping that stays beside coherent memory means on a machine. */
export interface AliasVerdict {
  readonly isHarmless: boolean;
  /** For people: what it is safe because of, or why it is not. */
  readonly text: string;
}

/**
 * By the profile of the core. A clean line does no harm if no uncached access looks at it, and none
 * comes to be if the core fills nothing unasked; what relies on either says so, with its source.
 */
export const aliasVerdict = (machine: Machine): AliasVerdict => {
  const core = coreOf(machine);
  if (!machine.kernel.coherent.strategy.keepsAlias) {
    return { isHarmless: true, text: 'no cacheable mapping stays' };
  }
  const relies = (on: string, figure: 'ncLookup' | 'speculativeFill'): AliasVerdict => ({
    isHarmless: true,
    text: `relies on ${on} (${figureSource(core, figure)})`,
  });
  if (core.l1d === null) return { isHarmless: true, text: 'nothing is cached' };
  if (!core.speculativeFill) {
    return relies(`${core.name} to fill no line unasked`, 'speculativeFill');
  }
  if (core.ncLookup === 'ignores') {
    return relies(`uncached accesses of ${core.name} to ignore clean lines`, 'ncLookup');
  }
  const text = `${core.name} fills lines by the cacheable mapping, and uncached loads may hit them`;
  return { isHarmless: false, text };
};
