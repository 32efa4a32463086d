import { UnmodelledError } from '../../drivers/base/types/errors';
import { CLASSIC_CORES } from './cores/classic';
import { CORTEX_A32_CORES } from './cores/cortex-a32';
import { CORTEX_A64_CORES } from './cores/cortex-a64';
import { VENDOR_CORES } from './cores/vendor';
import type { CoreProfile } from './profile';

/** All cores that dmabench models: caches, policies and profile flags, each with its source. */
export const CORES: readonly CoreProfile[] = [
  ...CLASSIC_CORES,
  ...CORTEX_A32_CORES,
  ...CORTEX_A64_CORES,
  ...VENDOR_CORES,
];

/** Cores that are named in device trees and not modelled, each with the reason. */
export const UNMODELLED_CORES: ReadonlyMap<string, string> = new Map([
  ['arm,arm11mpcore', 'ARM11 MPCore: the SCU does not see cache maintenance of other cores'],
  ['arm,arm720t', 'ARM720T: one unified write-through cache of 8 KiB'],
]);

const byCompatible = new Map(CORES.flatMap(core => core.compatible.map(name => [name, core])));

/** The core that a cpu node's `compatible` list names; its strings are tried in order. */
export const coreFor = (
  compatible: readonly string[],
): { readonly core: CoreProfile; readonly matched: string } | null => {
  for (const matched of compatible) {
    const core = byCompatible.get(matched);
    if (core !== undefined) return { core, matched };
    const reason = UNMODELLED_CORES.get(matched);
    if (reason !== undefined) throw new UnmodelledError(`core ${matched}`, reason);
  }
  return null;
};

/** The core of that name in the table. UnmodelledError if it has no row. */
export const coreNamed = (name: string): CoreProfile => {
  const core = CORES.find(candidate => candidate.name === name);
  if (core === undefined) throw new UnmodelledError(`core ${name}`, 'no row in the core table');
  return core;
};
