import { boardNames, loadBoard } from '../../machines/boards';
import { planMachine } from '../../machines/plan';
import type { ListFormat } from '../commands/arguments';
import { Exit } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { toJson } from '../report/json';
import { coresOf, ramOf } from '../report/run-report';
import { table } from '../report/table';
import { bytes, widthOf } from '../report/text';
import { BOARD_FILES } from './board-files';

/** A board as `boards --format json` prints it. */
export interface ListedBoard {
  readonly name: string;
  readonly model: string;
  readonly cores: readonly string[];
  /** Bytes of RAM. */
  readonly memory: number;
}

/** `dmabench boards`. */
export const listBoards = (format: ListFormat, { out }: Host): ExitStatus => {
  const boards = boardNames(BOARD_FILES).map((name): ListedBoard => {
    const plan = planMachine(loadBoard(name, BOARD_FILES), { memory: null, quirks: [] });
    return { name, model: plan.model, cores: coresOf(plan), memory: Number(ramOf(plan)) };
  });
  if (format === 'json') {
    out.write(toJson(boards));
    return Exit.Passed;
  }
  const rows = boards.map(({ name, model, cores, memory }) => [
    name,
    cores.join(', '),
    bytes(BigInt(memory)),
    model,
  ]);
  out.write(`${table(rows, { width: widthOf(out), indent: 0, right: [2] }).join('\n')}\n`);
  return Exit.Passed;
};
