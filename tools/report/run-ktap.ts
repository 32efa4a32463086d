import { allCases, countCases, hasFailed } from '../run/results';
import type { CaseResult, Counts, RunResult, SuiteResult } from '../run/results';
import { findingLine } from './findings-human';
import type { RunReport } from './run-report';
import { printable } from './text';

/**
 * A run as KUnit prints one: KTAP version 1, a subtest for each suite, what failed as diagnostics
 * before the result they belong to. Source: the kernel's Documentation/dev-tools/ktap.rst.
 */
export const runKtap = ({ result, notes, repeat }: RunReport): string => {
  const lines = ['KTAP version 1', `1..${result.suites.length}`];
  result.suites.forEach((suite, i) => {
    lines.push(...suiteLines(suite, i + 1, result));
  });
  lines.push(totals('Totals', countCases(allCases(result))));
  for (const text of [...notes.map(note => `note: ${note}`), `repeat: ${repeat}`]) {
    lines.push(`# ${printable(text)}`);
  }
  lines.push(ending(result));
  return `${lines.join('\n')}\n`;
};

const ending = ({ isComplete, trace, events }: RunResult): string =>
  isComplete ? `# trace: ${trace}, ${events} events` : '# interrupted';

const suiteLines = (
  { name, cases }: SuiteResult,
  number: number,
  { findings }: RunResult,
): string[] => [
  '    KTAP version 1',
  `    # Subtest: ${name}`,
  `    1..${cases.length}`,
  ...cases.flatMap((one, i) =>
    [...findingLines(one, findings), ...caseLines(one, i + 1)].map(line => `    ${line}`),
  ),
  totals(name, countCases(cases)),
  `${hasFailed(cases) ? 'not ok' : 'ok'} ${number} ${name}`,
];

/** What was found in the case: diagnostics before its result. */
const findingLines = (one: CaseResult, findings: RunResult['findings']): string[] =>
  findings
    .filter(({ finding }) => one.findings.includes(finding.id))
    .map(kept => `# finding ${findingLine(kept)}`);

const caseLines = ({ name, outcome, lines }: CaseResult, number: number): string[] => {
  switch (outcome) {
    case 'passed':
      return [`ok ${number} ${name}`];
    case 'skipped':
      return [`ok ${number} ${name} # SKIP ${printable(lines.join('; '))}`];
    case 'failed':
      return [...lines.map(line => `# ${name}: ${printable(line)}`), `not ok ${number} ${name}`];
  }
};

const totals = (what: string, { passed, failed, skipped }: Counts): string =>
  `# ${what}: pass:${passed} fail:${failed} skip:${skipped} total:${passed + failed + skipped}`;
