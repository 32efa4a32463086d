import { CORES } from '../../arch/arm/cores';
import type { CoreProfile } from '../../arch/arm/profile';

/** What a machine may do, read off the core table by this judge for itself. */
export interface SpinMachine {
  readonly name: string;
  readonly core: CoreProfile;
  readonly hasOuter: boolean;
  readonly snoops: boolean;
  /** Maintenance by address completes some time after its issue. */
  readonly delaysMaintenance: boolean;
}

const coreNamed = (name: string): CoreProfile => {
  const core = CORES.find(each => each.name === name);
  if (core === undefined) throw new Error(`no core ${name}`);
  return core;
};

const machine = (name: string, hasOuter = false): SpinMachine => {
  const core = coreNamed(name);
  return {
    name: hasOuter ? `${name} with a PL310` : name,
    core,
    hasOuter,
    snoops: core.snoopPort !== 'none',
    delaysMaintenance: !['v4', 'v5'].includes(core.architecture),
  };
};

/** Of each kind one: no speculation, early loads, an outer cache, a snooping port, two levels. */
export const MACHINES: readonly SpinMachine[] = [
  machine('arm926ej-s'),
  machine('arm1136jf-s'),
  machine('cortex-m7'),
  machine('cortex-a9', true),
  machine('cortex-a7'),
  machine('cortex-a53'),
];

/** Caches and nothing else: no store buffer, maintenance at once. What SPIN finds easiest. */
export const PLAIN_MACHINE: SpinMachine = {
  ...machine('cortex-a9'),
  name: 'caches only',
  core: {
    ...coreNamed('cortex-a9'),
    storeBuffer: 0,
    earlyLoads: false,
    invalidateMayWriteBack: false,
  },
  delaysMaintenance: false,
};
