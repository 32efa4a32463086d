import { InputError } from '../../../drivers/base/types/errors';
import { KIB } from '../../../drivers/base/types/bits';
import type { DriverBench } from '../../../tests/suites/driver-bench';
import { openBoard, planRun } from '../../board/open';
import type { ExperimentArguments } from '../../commands/arguments';
import { Exit } from '../../exit';
import type { ExitStatus } from '../../exit';
import type { Host } from '../../host';
import { planOptions } from '../../options';
import { withPlugins } from '../../plugin/load';
import { Progress } from '../../progress';
import { toJson } from '../../report/json';
import { painter, widthOf } from '../../report/text';
import { untranslated } from '../coherent/coherent';
import { costTable } from '../costs';
import { noncoherentHuman } from './human';
import { SIZES, bootBench, measureWorkload } from './measure';
import type { Measured, NoncoherentReport, WorkloadReport } from './report';
import { WORKLOADS } from './workloads';
import type { Workload } from './workloads';

const SHOWN = 16 * KIB;

/** `dmabench experiment noncoherent BOARD`: which memory is the fastest, for what and from which size. */
export const noncoherentExperiment = (args: ExperimentArguments, host: Host): ExitStatus =>
  withPlugins(args.load, ({ modules }) => {
    const costs = costTable(args.cost);
    const board = openBoard(args.board, args.overlay ?? []);
    const plan = planRun(board, untranslated(planOptions(args, modules)));
    const bench = bootBench(board.source, plan);
    if (bench === null) {
      const expected = 'a board with a master that reaches RAM';
      throw new InputError({ place: board.source, expected, found: 'none' });
    }
    const measured = new Map<Workload, Measured[]>(WORKLOADS.map(one => [one, []]));
    const todo = SIZES.flatMap(size => WORKLOADS.map(workload => ({ size, workload })));
    let done = 0;
    const progress = new Progress(host);
    const isInterrupted = host.untilInterrupted(() => {
      const next = todo[done];
      if (next === undefined) return false;
      const { size, workload } = next;
      progress.show(`${workload.name} of ${size} bytes`, done++, todo.length);
      measured.get(workload)?.push(...measureWorkload(bench, workload, size, costs));
      return true;
    });
    progress.clear();
    const report: NoncoherentReport = {
      ...{ board: board.source, model: plan.model, device: deviceOf(bench) },
      workloads: [...measured].map(([workload, rows]) => workloadReport(workload, rows)),
      ...{ shownSize: SHOWN, costs, notes: notesOf(bench) },
    };
    const human = (): string => noncoherentHuman(report, painter(host.out), widthOf(host.out));
    host.out.write(args.format === 'json' ? toJson(report) : human());
    return isInterrupted ? Exit.Interrupted : Exit.Passed;
  });

const workloadReport = (
  { name, summary }: Workload,
  measured: readonly Measured[],
): WorkloadReport => ({ name, summary, measured, cachedFrom: cachedFrom(measured) });

/** From this size on nothing is faster than cached memory; null: something is to the end. */
export const cachedFrom = (measured: readonly Measured[]): number | null => {
  const sizes = [...new Set(measured.map(({ size }) => size))].sort((a, b) => b - a);
  let from: number | null = null;
  for (const size of sizes) {
    const ofSize = measured.filter(one => one.size === size);
    const cached = ofSize.find(({ way }) => way === 'cached + sync')?.nanoseconds ?? Infinity;
    if (ofSize.some(({ nanoseconds }) => nanoseconds !== null && nanoseconds < cached)) break;
    from = size;
  }
  return from;
};

const deviceOf = ({ dev, machine }: DriverBench): string => {
  const plan = machine.masters.find(({ device }) => device.dev === dev)?.plan;
  const how = dev.dma.coherent ? 'snoops' : 'does not snoop';
  return `a master that ${how}${plan === undefined ? '' : `, as ${plan.example}`}`;
};

const notesOf = ({ dev, kernel }: DriverBench): readonly string[] => [
  "A turn of the CPU on a machine under lru: from the end of the device's transfer to the doorbell of its next, the second of two turns.",
  ...(dev.dma.coherent
    ? ['The device snoops: all of its memory is cached, and syncs do nothing.']
    : kernel.mm.info.type === 'v4wb'
      ? ['Uncached memory is strongly ordered on this core: no two stores leave together.']
      : ['Uncached and write-combined memory are of one type on this core: stores of both merge.']),
];
