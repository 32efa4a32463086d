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
import { costTable } from '../costs';
import { bindingHuman } from './human';
import { BindingBench, MODES, bootGpuBoard } from './measure';
import type { BindingReport, BindingRow } from './report';
import { CROSSOVER_OBJECTS, CROSSOVER_TOUCHED, WORKLOADS, crossoverOf } from './workloads';
import type { Workload } from './workloads';

const NOTES = [
  'On a machine under lru. The memory of all objects is there before: what is measured is how the GPU comes to its addresses.',
  'incremental: each object is bound when it is referred to, and the TLB flushed each time, by a job of its own; batched: all before the job, with one flush in the stream.',
  'fault: nothing is bound before the GPU touches it; a fault binds the page, the whole object, or all that its job touches; what has come together is serviced together, and one replay wakes all.',
];

/** `dmabench experiment binding BOARD`: the ways to bind, over workloads, and where they cross. */
export const bindingExperiment = (args: ExperimentArguments, host: Host): ExitStatus =>
  withPlugins(args.load, ({ modules }) => {
    const costs = costTable(args.cost);
    const board = openBoard(args.board, args.overlay ?? []);
    const plan = planRun(board, planOptions(args, modules));
    const bench = new BindingBench(bootGpuBoard(board.source, plan));
    const measured = new Map<Workload, readonly BindingRow[]>();
    const points = CROSSOVER_TOUCHED.map(crossoverOf);
    const todo = [...WORKLOADS, ...points];
    const progress = new Progress(host);
    const isInterrupted = host.untilInterrupted(() => {
      const workload = todo[measured.size];
      if (workload === undefined) return false;
      progress.show(workload.name, measured.size, todo.length);
      const rows = MODES.map(mode => bench.measure(workload, mode, costs));
      measured.set(workload, rows);
      return true;
    });
    progress.clear();
    const report: BindingReport = {
      ...{ board: board.source, model: plan.model, costs, notes: NOTES },
      workloads: WORKLOADS.flatMap(one => {
        const rows = measured.get(one);
        return rows === undefined ? [] : [{ name: one.name, summary: one.summary, rows }];
      }),
      crossover: points.flatMap((one, i) => {
        const rows = measured.get(one);
        const touched = CROSSOVER_TOUCHED[i];
        return rows === undefined || touched === undefined
          ? []
          : [{ touched, of: CROSSOVER_OBJECTS, rows }];
      }),
    };
    const human = (): string => bindingHuman(report, painter(host.out), widthOf(host.out));
    host.out.write(args.format === 'json' ? toJson(report) : human());
    return isInterrupted ? Exit.Interrupted : Exit.Passed;
  });
