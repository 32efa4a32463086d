import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { Random } from '../../drivers/base/types/random';
import type { Machine } from '../../machines/machine';
import { openBoard, planRun } from '../board/open';
import type { BenchArguments } from '../commands/arguments';
import { Exit } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { planOptions } from '../options';
import { withPlugins } from '../plugin/load';
import { Progress } from '../progress';
import { toJson } from '../report/json';
import { painter, widthOf } from '../report/text';
import { bootPlan } from '../run/job';
import { benchMap } from './map';
import type { MapResult } from './map';
import { mapHuman } from './map-human';
import type { MapReport } from './map-human';
import { directionName, parseMapParameters } from './parameters';

/** `dmabench bench map`: what mapping costs, with each kind of master that the board has. */
export const bench = (args: BenchArguments, host: Host): ExitStatus => {
  const parameters = parseMapParameters(args);
  const board = openBoard(args.board, args.overlay ?? []);
  return withPlugins(args.load, ({ modules, placeOf }) => {
    const machine = bootPlan(
      board.source,
      planRun(board, planOptions(args, modules)),
      {
        adversary: new LruAdversary(),
        random: new Random(1),
        timing: 'latest',
        streaming: ALL_STEPS,
      },
      placeOf,
    );
    const results: MapReport['results'][number][] = [];
    const isInterrupted = eachMaster(machine, host, index => {
      const master = machine.masters[index];
      if (master === undefined) return;
      const result = benchMap(machine, master.device.dev, parameters, () => host.now());
      results.push({ label: master.plan.label, result });
    });
    const report = { board: board.source, parameters, results };
    const human = (): string => mapHuman(report, painter(host.out), widthOf(host.out));
    host.out.write(args.format === 'json' ? toJson(documentOf(report)) : human());
    if (isInterrupted) return Exit.Interrupted;
    return results.some(({ result }) => result.failed !== null) ? Exit.Failed : Exit.Passed;
  });
};

/** True if the user interrupted. */
const eachMaster = (machine: Machine, host: Host, measure: (index: number) => void): boolean => {
  const progress = new Progress(host);
  const { length } = machine.masters;
  let index = 0;
  try {
    return host.untilInterrupted(() => {
      if (index === length) return false;
      progress.show(machine.masters[index]?.plan.label ?? '', index, length);
      measure(index);
      index += 1;
      return true;
    });
  } finally {
    progress.clear();
  }
};

/** What `bench map --format json` prints: sums over all calls; host times in ms for each. */
const documentOf = ({ board, parameters, results }: MapReport): unknown => ({
  format: 'dmabench-bench-map-1',
  board,
  parameters: { ...parameters, dir: directionName(parameters.dir) },
  devices: results.map(({ label, result }) => ({
    label,
    device: result.device,
    failed: result.failed,
    calls: result.calls,
    map: callOf(result.map),
    unmap: callOf(result.unmap),
  })),
});

const callOf = ({ counts, simulated, host }: MapResult['map' | 'unmap']): unknown => ({
  counts,
  simulatedNs: simulated,
  hostMs: { mean: host.mean, deviation: host.deviation },
});
