import { describeMachine } from '../../machines/describe';
import { openBoard, planBoard } from '../board/open';
import type { DescribeArguments } from '../commands/arguments';
import { Exit } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { planOptions } from '../options';
import { describeHuman } from '../report/describe-human';
import { withPlugins } from '../plugin/load';
import { toJson } from '../report/json';
import { painter, widthOf } from '../report/text';

/** `dmabench describe`. */
export const describe = (args: DescribeArguments, { out }: Host): ExitStatus => {
  const board = openBoard(args.board, args.overlay ?? []);
  const plan = withPlugins(args.load, ({ modules }) =>
    planBoard(board, planOptions(args, modules)),
  );
  out.write(
    args.format === 'json'
      ? toJson(describeMachine(plan, board))
      : describeHuman(board, plan, painter(out), widthOf(out)),
  );
  return Exit.Passed;
};
