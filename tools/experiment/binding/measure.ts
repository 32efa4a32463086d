import { LruAdversary } from '../../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { BenchError, InputError } from '../../../drivers/base/types/errors';
import { Random } from '../../../drivers/base/types/random';
import { USER_START } from '../../../drivers/gpu/vivante/driver/context';
import type { RenderClient } from '../../../drivers/gpu/vivante/driver/render-client';
import { waitForJob } from '../../../drivers/gpu/vivante/driver/render-fault';
import type {
  FaultService,
  FaultingClient,
} from '../../../drivers/gpu/vivante/driver/render-fault';
import type { RenderObject } from '../../../drivers/gpu/vivante/driver/render-object';
import { bootMachine } from '../../../machines/boot';
import type { Machine } from '../../../machines/machine';
import type { MachinePlan } from '../../../machines/plan';
import { withoutGpu } from '../../../tests/suites/gpu/bench';
import { RenderBench, streamOf } from '../../../tests/suites/gpu/render-bench';
import { BLOCK, fill } from '../../../tests/suites/gpu/streams';
import { timeOf } from '../costs';
import type { CostTable } from '../costs';
import { Meter } from '../meter';
import type { BindingRow, ModeName } from './report';
import type { Workload, WorkloadJob } from './workloads';

export const MODES: readonly ModeName[] = [
  'incremental',
  'batched',
  'fault, page',
  'fault, object',
  'fault, set',
];

/** The machine, with caches that do what they are told; InputError for a board without a GPU. */
export const bootGpuBoard = (source: string, plan: MachinePlan): Machine => {
  const machine = bootMachine(plan, {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });
  const reason = withoutGpu(machine);
  if (reason === null) return machine;
  const expected = 'a board with a GPU: see --overlay, as in --overlay gpu-pandaboard';
  throw new InputError({ place: source, expected, found: 'none' });
};

/** One way to bind: clients, and how one of their jobs runs to its end. */
interface Mode {
  readonly run: (job: WorkloadJob, words: readonly number[]) => void;
}

const must = (error: number, what: string): void => {
  if (error !== 0) throw new BenchError(`${what}: ${error}`);
};

/** Objects one behind the other, in every mode at the same addresses. */
const layoutOf = (workload: Workload): readonly number[] => {
  let next = USER_START;
  return workload.objects.map(pages => {
    const start = next;
    next += pages * PAGE_SIZE;
    return start;
  });
};

const bound = (
  bench: RenderBench,
  workload: Workload,
  objects: readonly RenderObject[],
  starts: readonly number[],
  mode: 'incremental' | 'batched',
): Mode => {
  const clients = clientsOf(workload, name => bench.client(name, { mode }));
  return {
    run: ({ client, refers }, words) => {
      const entries = refers.flatMap(i => {
        const [object, at] = [objects[i], starts[i]];
        return object === undefined || at === undefined ? [] : [{ object, at, isWrite: true }];
      });
      must(
        bench.exec(clientAt<RenderClient>(clients, client), words, { objects: entries }),
        'a job',
      );
    },
  };
};

const onFault = (
  bench: RenderBench,
  workload: Workload,
  objects: readonly RenderObject[],
  starts: readonly number[],
  service: FaultService,
): Mode => {
  const clients = clientsOf(workload, name => bench.faultingClient(name, service));
  for (const client of clients) {
    objects.forEach((object, i) => {
      must(client.attach(object, starts[i] ?? 0), 'an address');
    });
  }
  return {
    run: ({ client, touches }, words) => {
      const set = touches.flatMap(i => objects[i] ?? []);
      const faulting = clientAt<FaultingClient>(clients, client);
      const job = bench.run(faulting.submit(streamOf(words), { set }));
      must(typeof job === 'number' ? job : bench.run(waitForJob(job)), 'a job');
    },
  };
};

const clientsOf = <Client>(workload: Workload, make: (name: string) => Client): Client[] =>
  Array.from({ length: workload.clients }, (_, i) => make(`client ${i}`));

const clientAt = <Client>(clients: readonly Client[], index: number): Client => {
  const client = clients[index];
  if (client === undefined) throw new BenchError(`a workload without client ${index}`);
  return client;
};

const modeOf = (
  bench: RenderBench,
  workload: Workload,
  objects: readonly RenderObject[],
  name: ModeName,
): Mode => {
  const starts = layoutOf(workload);
  switch (name) {
    case 'incremental':
    case 'batched':
      return bound(bench, workload, objects, starts, name);
    case 'fault, page':
      return onFault(bench, workload, objects, starts, 'page');
    case 'fault, object':
      return onFault(bench, workload, objects, starts, 'object');
    case 'fault, set':
      return onFault(bench, workload, objects, starts, 'set');
  }
};

/** A machine on which workloads run one after the other. Objects are made once for each size of theirs. */
export class BindingBench {
  readonly #machine: Machine;
  readonly #bench: RenderBench;
  readonly #objects = new Map<string, readonly RenderObject[]>();

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#bench = new RenderBench(machine);
  }

  /** Runs a workload in a mode, with objects whose memory is there already. */
  measure(workload: Workload, mode: ModeName, costs: CostTable): BindingRow {
    const bench = this.#bench;
    const { run } = modeOf(bench, workload, this.#objectsOf(workload), mode);
    const starts = layoutOf(workload);
    const before = countsOf(bench);
    const work = new Meter(this.#machine).measure(() => {
      for (const job of workload.jobs) {
        const words = job.touches.flatMap(i => fill(starts[i] ?? 0, BLOCK, i));
        run(job, words);
      }
    });
    const after = countsOf(bench);
    bench.endClients();
    const since = (name: keyof Counts): number => after[name] - before[name];
    const [entries, flushes, faults] = [since('entries'), since('flushes'), since('faults')];
    const counts = {
      ...{ 'table-write': entries, 'gpu-flush': flushes, 'gpu-fault': faults },
      ...{ line: work.line, 'outer-line': work['outer-line'], barrier: work.barrier },
      // Each job is waited for in every mode: only what comes on top is the mode's.
      'gpu-wait': since('jobs') - workload.jobs.length,
      ...{ 'gpu-batch': since('replays'), irq: since('interrupts') },
    };
    return { mode, counts, entries, flushes, faults, nanoseconds: timeOf(costs, counts) };
  }

  #objectsOf({ objects: sizes }: Workload): readonly RenderObject[] {
    const key = sizes.join();
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    const objects = sizes.map(pages => this.#bench.object(pages * PAGE_SIZE));
    for (const { gem } of objects) must(gem.pin(), 'memory of an object');
    this.#objects.set(key, objects);
    return objects;
  }
}

interface Counts {
  readonly entries: number;
  readonly flushes: number;
  readonly jobs: number;
  readonly interrupts: number;
  readonly faults: number;
  readonly replays: number;
}

const countsOf = ({ gpu, device }: RenderBench): Counts => ({
  entries: gpu.writer.words,
  flushes: gpu.counts.flushes,
  jobs: gpu.counts.jobs,
  interrupts: gpu.counts.interrupts,
  faults: device.counts.faults,
  replays: device.counts.replays,
});
