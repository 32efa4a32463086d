import type { MasterPlan } from './masters';
import type { MachinePlan } from './plan';

/** What two machines must have in common for one to take up the other's state. */
export const describeSilicon = (plan: MachinePlan, masters: readonly MasterPlan[]): string =>
  [
    plan.model,
    ...plan.cpus.map(({ core, cluster }) => `${core.name} in cluster ${cluster}`),
    ...plan.memory.banks.map(({ base, size }) => `${size} bytes of RAM at ${base}`),
    ...plan.devices
      .filter(({ status }) => status === 'modelled')
      .map(({ device }) => device.node.path),
    ...masters.map(({ label }) => label),
  ].join('; ');
