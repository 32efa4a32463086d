import type { SuitesArguments } from '../commands/arguments';
import { Exit } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { withPlugins } from '../plugin/load';
import { toJson } from '../report/json';
import { painter, paragraph, plural, widthOf } from '../report/text';

/** `dmabench suites`. */
export const listSuites = ({ format, load }: SuitesArguments, { out }: Host): ExitStatus => {
  const listed = withPlugins(load, ({ suites }) =>
    suites.map(({ name, summary, cases }) => ({
      name,
      summary,
      cases: cases.map(one => one.name),
    })),
  );
  if (format === 'json') {
    out.write(toJson(listed));
    return Exit.Passed;
  }
  const paint = painter(out);
  const blocks = listed.map(({ name, summary, cases }) =>
    [
      `${paint('bold', name)}  ${plural(cases.length, 'case')}`,
      ...paragraph('  ', summary, widthOf(out)),
      ...cases.map(one => paint('dim', `    ${one}`)),
    ].join('\n'),
  );
  out.write(`${blocks.join('\n\n')}\n`);
  return Exit.Passed;
};
