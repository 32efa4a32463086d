import { Scheduler } from '../../../drivers/base/kernel/scheduler';
import { preemptionPoint, userMode } from '../../../drivers/base/kernel/task';
import type { LiveValue, Sleeping, Task } from '../../../drivers/base/kernel/task';
import { WwClass } from '../../../drivers/base/kernel/ww-class';
import { BenchError } from '../../../drivers/base/types/errors';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { submit } from '../../../drivers/gpu/drm/exec';
import type { ExecContext } from '../../../drivers/gpu/drm/exec';
import { AddressPolicy } from '../../../drivers/gpu/drm/policies';
import type { Backoff, PolicyName } from '../../../drivers/gpu/drm/policies';
import type { JobFence } from '../../../drivers/gpu/drm/vma';
import { AddressSpace } from '../../../drivers/gpu/drm/vm';
import { symmetriesOf } from '../scenario';
import type { Scenario, World, WorldState } from '../scenario';
import { LightGpu, LightObject } from './light-gpu';
import type { LightJob } from './light-gpu';

/** How many clients there are, what they need, and what there is of it. */
export interface Scope {
  /** Pages of the address space that all share. */
  readonly slots: number;
  /** Objects of one page that each client's job refers to, all its own. */
  readonly clients: readonly number[];
  readonly policy: PolicyName;
}

/** Policies that ask for the age of a ticket, or lock what others may have locked. */
const BY_AGE: readonly PolicyName[] = [
  'oldest-ticket',
  'all-or-nothing',
  'min-residency',
  'throttle-pin',
];

/** Under the explorer a random time is any time: it chooses who goes. */
const anyTime: Backoff = () => preemptionPoint('msleep');

/**
 * Clients that submit the same job again and again, each to the light GPU, through the phases of a
 * submission that the driver goes through.
 *
 * All objects are of one page, so that no place is better than another: addresses are no part of the
 * state.
 */
export class LivelockWorld implements World {
  readonly scheduler = new Scheduler();
  readonly clients: readonly Task[];
  readonly vm: AddressSpace<LightObject>;
  readonly #gpu: LightGpu;
  readonly #policy: AddressPolicy;
  readonly #objects: readonly (readonly LightObject[])[];
  readonly #locksMatter: boolean;
  /** Names of the objects that are locked last. */
  readonly #last: ReadonlySet<LiveValue>;

  /** `reduces` false: every place where a task may be preempted is a choice. */
  constructor({ slots, clients, policy }: Scope, reduces = true, backoff = anyTime) {
    const wwClass = new WwClass('reservation_ww_class', 'wait-die');
    this.#gpu = new LightGpu(clients.length);
    this.vm = new AddressSpace('aperture', { start: 0, end: slots * PAGE_SIZE }, this.#gpu);
    this.#policy = new AddressPolicy(policy, backoff);
    this.#locksMatter = !reduces || policy === 'all-or-nothing';
    this.#objects = clients.map((count, client) =>
      Array.from({ length: count }, (_, i) => new LightObject(wwClass, `@${client}.${i}`)),
    );
    this.#last = new Set(this.#objects.map(objects => objects.at(-1)?.name ?? ''));
    const context = {
      ...{ vm: this.vm, ops: this.#gpu, policy: this.#policy, wwClass },
      agesMatter: BY_AGE.includes(policy),
    };
    this.clients = this.#objects.map((objects, client) =>
      this.scheduler.spawn(`client ${client}`, submitForEver(context, objects, client)),
    );
  }

  get completed(): readonly number[] {
    return this.#gpu.completed;
  }

  get state(): WorldState {
    const bound = this.vm.bound.map(vma => vma.digest()).join();
    return {
      shared: `${bound}|${this.vm.room.digest()}|${this.#policy.digest()}`,
      clients: this.#objects.map((_, client) => this.#stateOf(client)),
    };
  }

  /**
   * Locks that nobody else asks for, nor asks about, as their objects are pinned. Not the last: with it
   * the job is handed over, and the pins go.
   */
  isLocal({ point }: Task): boolean {
    if (this.#locksMatter || point?.at.endsWith('ww_mutex_lock') !== true) return false;
    return point.live?.().some(value => this.#last.has(value)) !== true;
  }

  /** What of the state is a client's: its task, its locks, and what it has claimed and lost. */
  #stateOf(client: number): string {
    const parts = [this.clients[client]?.digest() ?? ''];
    for (const object of this.#objects[client] ?? []) {
      const vma = this.vm.vmaOf(object);
      if (!vma.isBound && vma.claims.size > 0) parts.push(vma.digest());
      if (object.resv.isLocked) parts.push(`${object.name}${object.resv.digest()}`);
    }
    return parts.join();
  }
}

function* submitForEver(
  context: ExecContext<LightJob, JobFence, LightObject>,
  objects: readonly LightObject[],
  client: number,
): Sleeping<never> {
  const request = { objects: objects.map(object => ({ object })), job: { client } };
  for (;;) {
    yield* userMode('ioctl');
    const { error } = yield* submit(context, request);
    if (error !== 0) throw new BenchError(`client ${client}: submission answers ${error}`);
  }
}

/** The scenario of a scope: clients of equal need are alike. */
export const livelockScenario = (scope: Scope, reduces = true): Scenario => ({
  clients: scope.clients.length,
  symmetries: reduces ? symmetriesOf(scope.clients) : symmetriesOf(scope.clients.map((_, i) => i)),
  make: () => new LivelockWorld(scope, reduces),
});
