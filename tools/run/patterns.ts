import { InputError } from '../../drivers/base/types/errors';
import type { Suite } from '../../tests/suites/suite';

export type Selects = (suite: string, name: string) => boolean;

/**
 * Which cases the patterns of `--suite` select: `suite` or `suite.case`, where `*` stands for any
 * characters; all if there are no patterns. A pattern that selects none is an InputError.
 */
export const selectCases = (patterns: readonly string[], suites: readonly Suite[]): Selects => {
  const parsed = patterns.map(parsePattern);
  patterns.forEach((pattern, i) => {
    const selects = parsed[i];
    const isUseful = suites.some(({ name, cases }) =>
      cases.some(one => selects?.(name, one.name) === true),
    );
    if (!isUseful) throw selectsNothing(pattern, suites);
  });
  return (suite, name) => parsed.length === 0 || parsed.some(selects => selects(suite, name));
};

const parsePattern = (pattern: string): Selects => {
  const dot = pattern.indexOf('.');
  const [suitePart, casePart] =
    dot < 0 ? [pattern, '*'] : [pattern.slice(0, dot), pattern.slice(dot + 1)];
  return (suite, name) => matches(suitePart, suite) && matches(casePart, name);
};

/** Takes time proportional to the text for each part, whatever the pattern: no backtracking. */
export const matches = (pattern: string, text: string): boolean => {
  const parts = pattern.split('*');
  const first = parts.shift() ?? '';
  const last = parts.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || text.length < first.length + last.length) return false;
  if (!text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
};

/** Lists the cases of the suites that the pattern does name, else the suites. */
const selectsNothing = (pattern: string, suites: readonly Suite[]): InputError => {
  const [suitePart = ''] = pattern.split('.');
  const named = suites.filter(({ name }) => matches(suitePart, name));
  const there =
    named.length === 0
      ? suites.map(({ name }) => name)
      : named.flatMap(({ name, cases }) => cases.map(one => `${name}.${one.name}`));
  return new InputError({
    place: '--suite',
    expected: `a pattern that matches one of ${there.join(', ')}`,
    found: `'${pattern}'`,
  });
};
