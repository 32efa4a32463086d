import { CORES } from '../../../arch/arm/cores';
import type { CoreProfile } from '../../../arch/arm/profile';

/** A core, alone or not, with or without a cache outside. */
export interface Setting {
  readonly core: CoreProfile;
  readonly outer: boolean;
  readonly cpus: number;
}

/** A PL310 stands beside cores of ARMv6 and v7 without a second level of their own. */
const mayHaveOuter = ({ architecture, l1d, l2 }: CoreProfile): boolean =>
  (architecture === 'v6' || architecture === 'v7') && l1d !== null && l2 === null;

/** Every core in all its settings; `several`: how many of it, where it can be several. */
export const settingsOf = (several: number): readonly Setting[] =>
  CORES.flatMap(core =>
    (mayHaveOuter(core) ? [false, true] : [false]).flatMap(outer =>
      (core.multiprocessor ? [1, several] : [1]).map(cpus => ({ core, outer, cpus })),
    ),
  );

/** For titles of tests. */
export const nameOf = ({ core, outer, cpus }: Setting): string =>
  `${core.name}${cpus > 1 ? ` x${cpus}` : ''}${outer ? ' with a PL310' : ''}`;
