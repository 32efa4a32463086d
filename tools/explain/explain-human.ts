import { RULES } from '../../drivers/base/types/rules';
import { SEVERITY_STYLE, accessText, dueText, factsOf } from '../report/findings-human';
import { table } from '../report/table';
import { paragraph, plural, printable } from '../report/text';
import type { Paint } from '../report/text';
import { REASONS } from '../rules/reasons';
import type { KeptFinding, Proof } from '../run/findings';
import { storyLines } from './story-human';
import type { Story } from './story';

/** What `explain FILE#N` is made from. */
export interface Explained {
  readonly kept: KeptFinding;
  /** The command that replays its witness; null without one. */
  readonly replay: string | null;
  /** Why there is a witness and no command: its file is not there. */
  readonly withoutReplay: string | null;
}

/** One finding from its rule to the command that shows it. */
export const explainHuman = (explained: Explained, paint: Paint, width: number): string => {
  const { kept, replay, withoutReplay } = explained;
  const sections = [
    headLines(kept, paint, width),
    kept.story === null
      ? withoutStory(kept, width)
      : storyLines(kept.story, kept.finding, paint, width),
    conclusion(kept, paint, width),
    replay === null ? [] : [paint('bold', 'To see it happen'), `  ${printable(replay)}`],
    withoutReplay === null ? [] : paragraph('', printable(withoutReplay), width),
  ];
  return sections
    .filter(lines => lines.length > 0)
    .map(lines => `${lines.join('\n')}\n`)
    .join('\n');
};

const headLines = (kept: KeptFinding, paint: Paint, width: number): string[] => {
  const { id, rule, severity } = kept.finding;
  const facts = factsOf(kept);
  return [
    paint(SEVERITY_STYLE[severity], `Finding ${id}: ${severity}: ${rule}`),
    ...paragraph('  ', RULES[rule].sentence, width).map(line => paint('bold', line)),
    '',
    ...table(facts, { width, indent: 2 }),
  ];
};

const withoutStory = ({ proof }: KeptFinding, width: number): string[] =>
  paragraph('', WITHOUT_STORY[proof], width);

const WITHOUT_STORY: Readonly<Record<Proof, string>> = {
  evidence: 'This needs no schedule to be shown: it is wrong whatever the caches do.',
  replayed:
    'It takes one step, which was replayed with real caches: the IOMMU goes by what it kept.',
  'not-replayed':
    'It takes one step of the IOMMU, by what it kept, which the machine with real caches did not take.',
  'not-investigated': 'There is no story of this finding: it was not looked at again.',
};

/** What follows from the story, in words. */
const conclusion = (kept: KeptFinding, paint: Paint, width: number): string[] => {
  const { finding, story } = kept;
  const sentences = [
    REASONS[finding.rule].why,
    ...(kept.because === null ? [] : [`${capital(kept.because)}.`]),
    ...(story === null ? [] : [luck(story)]),
    ...(finding.missing === null
      ? []
      : [`What would have prevented it: ${dueText(finding.missing)}.`]),
    `'dmabench rules ${finding.rule}' shows wrong and right code.`,
  ];
  return [
    paint('bold', 'Why'),
    ...sentences.flatMap(text => paragraph('  ', printable(text), width)),
  ];
};

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** How much chance it takes. */
const luck = ({ rows }: Story): string => {
  const steps = rows.filter(({ actor }) => actor === 'unasked').length;
  if (steps === 0) return 'It goes wrong every time: nothing need happen that nobody asked for.';
  const it = steps === 1 ? 'it' : 'them';
  return `It takes ${plural(steps, 'step')} that nobody asked for (marked ~). Without ${it} the right bytes are there, so a test may pass for years.`;
};

/** The findings of a run, for `explain FILE`. */
export const listHuman = (
  file: string,
  findings: readonly KeptFinding[],
  paint: Paint,
  width: number,
): string => {
  if (findings.length === 0) return `${printable(file)}: no findings\n`;
  const rows = findings.map(({ finding }) => [
    `#${finding.id}`,
    finding.rule,
    printable(accessText(finding)),
  ]);
  const lines = table(rows, { width, indent: 2, right: [0] });
  const hint = `'dmabench explain ${printable(file)}#N' tells the story of one.`;
  const title = paint('bold', `${printable(file)}: ${plural(findings.length, 'finding')}`);
  return [title, ...lines, '', paint('dim', hint), ''].join('\n');
};
