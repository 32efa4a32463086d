import { grouped, paragraph, plural, printable } from '../report/text';
import type { Paint } from '../report/text';
import type { RenderFinding, RenderReport } from './report';

/** What was drawn, what of it is wrong, and what the checker says of it. */
export const renderHuman = (report: RenderReport, paint: Paint, width: number): string => {
  const { board, scene, bug, out, sha256, notes, findings } = report;
  const say = (first: string, text: string): string[] => paragraph(`  ${first}`, text, width);
  const lines = [
    paint('bold', `${scene} on ${printable(board)}${bug === null ? '' : `: ${bug.name}`}`),
    ...say('picture  ', `${printable(out)}, ${report.width} by ${report.height} pixels`),
    ...say('sha256   ', `${sha256} (of its pixels)`),
    ...(bug === null ? [] : [...say('mistake  ', bug.mistake), ...say('shape    ', bug.shape)]),
    ...differs(report).flatMap(text => say('seen     ', text)),
    ...notes.flatMap(note => say('note     ', note)),
    ...(findings.length === 0 ? say('checker  ', 'no finding, whatever caches do') : []),
    ...findings.flatMap(finding => say('checker  ', findingText(finding))),
  ];
  return `${lines.join('\n')}\n`;
};

const differs = ({ differing, seed, width, height }: RenderReport): string[] => {
  if (differing === null) return [];
  const of = `of ${grouped(width * height)}, at seed ${seed}`;
  return [`${plural(differing, 'pixel')} ${of}, ${differing === 1 ? 'is' : 'are'} wrong`];
};

const findingText = ({ rule, access, at, missing, count }: RenderFinding): string => {
  const where = at === null ? printable(access) : `${printable(access)} (${printable(at)})`;
  const what = missing === null ? '' : `; missing: ${printable(missing)}`;
  return `${rule}, ${plural(count, 'time')}: ${where}${what}`;
};
