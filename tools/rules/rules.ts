import { InputError } from '../../drivers/base/types/errors';
import { RULES } from '../../drivers/base/types/rules';
import type { RuleId, Severity } from '../../drivers/base/types/rules';
import { nearest } from '../board/nearest';
import type { RulesArguments } from '../commands/arguments';
import { Exit } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { SEVERITY_STYLE } from '../report/findings-human';
import { toJson } from '../report/json';
import { table } from '../report/table';
import { painter, paragraph, widthOf } from '../report/text';
import type { Paint } from '../report/text';
import { exampleSource } from './example-source';
import type { ExampleSource } from './example-source';
import { REASONS } from './reasons';

/** A rule as `rules --format json` prints it. */
export interface RuleDocument {
  readonly id: RuleId;
  readonly severity: Severity;
  readonly sentence: string;
  readonly why: string;
  readonly source: string;
  /** Code that breaks it, and the same as it should be; null where no example is there. */
  readonly example: ExampleSource | null;
}

/** `dmabench rules [RULE]`. */
export const rules = ({ rule, format }: RulesArguments, host: Host): ExitStatus => {
  const paint = painter(host.out);
  const width = widthOf(host.out);
  const asked = rule === undefined ? null : documentOf(knownRule(rule));
  if (format === 'json') {
    host.out.write(toJson(asked ?? ruleIds().map(documentOf)));
    return Exit.Passed;
  }
  host.out.write(asked === null ? rulesHuman(paint, width) : ruleHuman(asked, paint, width));
  return Exit.Passed;
};

const isRule = (name: string): name is RuleId => Object.hasOwn(RULES, name);

const ruleIds = (): readonly RuleId[] => Object.keys(RULES).filter(isRule);

const knownRule = (name: string): RuleId => {
  if (isRule(name)) return name;
  const near = nearest(name, ruleIds());
  const hint = near.length === 0 ? '.' : `; did you mean ${near.join(' or ')}?`;
  throw new InputError({
    place: `'${name}'`,
    expected: 'the id of a rule',
    found: `none${hint} The rules are: ${ruleIds().join(', ')}`,
  });
};

const documentOf = (id: RuleId): RuleDocument => ({
  id,
  severity: RULES[id].severity,
  sentence: RULES[id].sentence,
  ...REASONS[id],
  example: exampleSource(id),
});

const rulesHuman = (paint: Paint, width: number): string => {
  const rows = ruleIds().map(id => {
    const { severity, sentence } = RULES[id];
    // Most are errors: only what is not stands out.
    return [id, severity === 'error' ? sentence : `${sentence} (${severity})`];
  });
  const hint = paint('dim', "'dmabench rules ID' explains one, with wrong and right code.");
  return `${[...table(rows, { width, indent: 0 }), '', hint].join('\n')}\n`;
};

const ruleHuman = (rule: RuleDocument, paint: Paint, width: number): string => {
  const { id, severity, sentence, why, source, example } = rule;
  const code = (title: string, text: string): string[] => [
    title,
    ...text.split('\n').map(line => `  ${line}`.trimEnd()),
  ];
  const sections = [
    [
      `${paint('bold', id)}  ${paint(SEVERITY_STYLE[severity], severity)}`,
      ...paragraph('  ', sentence, width),
    ],
    [paint('bold', 'Why'), ...paragraph('  ', why, width)],
    example === null ? [] : code(paint('red', 'Wrong'), example.wrong),
    example === null ? [] : code(paint('green', 'Right'), example.right),
    table([['Source', source]], { width, indent: 0 }),
  ];
  return sections
    .filter(lines => lines.length > 0)
    .map(lines => `${lines.join('\n')}\n`)
    .join('\n');
};
