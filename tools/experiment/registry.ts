import type { ExperimentArguments } from '../commands/arguments';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { bindingExperiment } from './binding/binding';
import { coherentExperiment } from './coherent/coherent';
import { iommuExperiment } from './iommu/iommu';
import { livelockExperiment } from './livelock/livelock';
import { noncoherentExperiment } from './noncoherent/noncoherent';

/** A comparison of ways of doing one thing on one board. */
export interface Experiment {
  readonly name: string;
  readonly run: (args: ExperimentArguments, host: Host) => ExitStatus;
}

export const EXPERIMENTS: readonly Experiment[] = [
  { name: 'binding', run: bindingExperiment },
  { name: 'coherent', run: coherentExperiment },
  { name: 'iommu', run: iommuExperiment },
  { name: 'livelock', run: livelockExperiment },
  { name: 'noncoherent', run: noncoherentExperiment },
];
