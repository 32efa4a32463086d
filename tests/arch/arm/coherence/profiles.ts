import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import type { CheckerOptions, CheckerProfile } from '../../../../arch/arm/coherence/profile';
import { CORES } from '../../../../arch/arm/cores';

export interface NamedProfile {
  readonly name: string;
  readonly profile: CheckerProfile;
}

/** Virtual caches are proved with two aliases here and with all of them by `npm run prove`. */
export const ALIASES = 2;

const OPTIONS: readonly (readonly [label: string, options: CheckerOptions])[] = [
  ['', {}],
  [' + outer', { outer: 'inclusive' }],
  [' + exclusive outer', { outer: 'exclusive' }],
  [' + device cache', { deviceCache: true }],
  [' + CPUs', { severalCpus: true }],
  [' + CPUs + outer', { severalCpus: true, outer: 'inclusive' }],
];

/**
 * The checker's profiles of all cores on all machines, each once, named after the first core. No
 * core with both a second level of its own and virtual lines has an outer cache beside it.
 */
export const distinctProfiles = (aliases = ALIASES): readonly NamedProfile[] => {
  const met = new Map<string, NamedProfile>();
  for (const [label, options] of OPTIONS) {
    for (const core of CORES) {
      if (options.severalCpus === true && !core.multiprocessor) continue;
      if (options.outer !== undefined && (core.l1d === null || core.architecture === 'v8'))
        continue;
      if (options.deviceCache === true && core.l2 !== null && core.architecture !== 'v8') continue;
      const profile = checkerProfile(core, { ...options, aliases });
      if (profile.outer === 'exclusive' && profile.aliases > 1) continue;
      const key = JSON.stringify(profile);
      if (!met.has(key)) met.set(key, { name: `${core.name}${label}`, profile });
    }
  }
  return [...met.values()];
};
