import { InputError } from '../../drivers/base/types/errors';
import type { Suite } from '../../tests/suites/suite';
import { nearest } from '../board/nearest';

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

/** What the user may have meant; the suites, if that is nobody's guess. */
const selectsNothing = (pattern: string, suites: readonly Suite[]): InputError => {
  const [suitePart = ''] = pattern.split('.');
  const named = suites.filter(({ name }) => matches(suitePart, name));
  const near = nearestTo(pattern, named.length === 0 ? suites : named);
  const hint = near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
  return new InputError({
    place: '--suite',
    expected: named.length === 0 ? expectedSuite(suites, near) : expectedCase(named),
    found: `'${pattern}'${hint}`,
  });
};

const expectedSuite = (suites: readonly Suite[], near: readonly string[]): string =>
  near.length > 0
    ? "SUITE or SUITE.CASE, with *, as 'dmabench suites' lists them"
    : `a pattern that matches one of ${suites.map(({ name }) => name).join(', ')}`;

const expectedCase = (named: readonly Suite[]): string => {
  const count = named.reduce((sum, { cases }) => sum + cases.length, 0);
  const names = named.length <= MOST_NAMED ? named.map(({ name }) => name).join(', ') : null;
  return `one of the ${count} cases of ${names ?? `${named.length} suites`}, which 'dmabench suites' lists`;
};

const MOST_NAMED = 3;

/** Suites, or their cases, of names like the pattern's; a case may stand without its suite. */
const nearestTo = (pattern: string, suites: readonly Suite[]): readonly string[] => {
  const [suitePart = '', ...rest] = pattern.replaceAll('*', '').split('.');
  const names = suites.map(({ name }) => name);
  const near = rest.length === 0 ? nearest(suitePart, names) : [];
  if (near.length > 0) return near;
  const wanted = rest.length === 0 ? suitePart : rest.join('.');
  const cases = suites.flatMap(({ name, cases: all }) =>
    all.map(one => ({ name: one.name, whole: `${name}.${one.name}` })),
  );
  const meant = nearest(
    wanted,
    cases.map(({ name }) => name),
  );
  return meant.flatMap(name => cases.find(one => one.name === name)?.whole ?? []);
};
