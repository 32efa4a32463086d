import { stepClient } from '../explorer';
import type { Lasso } from '../verdict';
import type { ScheduleStep } from './report';
import { LivelockWorld } from './world';
import type { Scope } from './world';

/** A schedule run again, with what each step of it did. */
export const tellSchedule = (scope: Scope, { path, cycle }: Lasso): ScheduleStep[] => {
  const world = new LivelockWorld(scope);
  return [...path, ...cycle].map(client => {
    const before = new Set(world.vm.bound);
    stepClient(world, client);
    const after = new Set(world.vm.bound);
    const gone = [...before].filter(vma => !after.has(vma));
    const come = [...after].filter(vma => !before.has(vma));
    const name = ({ object }: { object: { name: string } }): string => object.name.slice(1);
    const { point, isRunnable } = world.clients[client] ?? {};
    const where = point?.at.split('/').at(-1) ?? '';
    return {
      client,
      did: [
        ...gone.map(vma => `evicts ${name(vma)}`),
        ...come.map(vma => `binds ${name(vma)}`),
        isRunnable === true ? `to ${where}` : `sleeps in ${where}`,
      ],
    };
  });
};
