import { dirname, join, normalize } from 'node:path/posix';
import ts from 'typescript';
import { layerOf, MAY_IMPORT, SEES_HOST } from './layers';
import type { ProjectFile } from './project-files';

/** A rule that a module breaks. */
export interface Violation {
  readonly rule: 'place' | 'layer' | 'package' | 'cycle' | 'unresolved' | 'global';
  readonly file: string;
  readonly what: string;
}

/** Module path to the paths it imports, types included, static or not. */
type Graph = ReadonlyMap<string, readonly string[]>;

const importsOf = ({ text }: ProjectFile): string[] =>
  ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);

const isRelative = (specifier: string): boolean => /^\.\.?(?:\/|$)/.test(specifier);

/** The module that a relative import means, if there is one. */
const resolve = (
  from: string,
  specifier: string,
  known: ReadonlySet<string>,
): string | undefined => {
  const path = normalize(join(dirname(from), specifier));
  return [`${path}.ts`, `${path}/index.ts`].find(candidate => known.has(candidate));
};

/** Checks every import of every module against the table of layers. */
export const checkImports = (files: readonly ProjectFile[]): Violation[] => {
  const known = new Set(files.map(({ path }) => path));
  const violations: Violation[] = [];
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const targets: string[] = [];
    graph.set(file.path, targets);
    const layer = layerOf(file.path);
    if (layer === undefined) {
      violations.push({ rule: 'place', file: file.path, what: 'is of neither side' });
      continue;
    }
    for (const specifier of importsOf(file)) {
      const violate = (rule: Violation['rule'], what: string): void => {
        violations.push({ rule, file: file.path, what });
      };
      if (!isRelative(specifier)) {
        if (!SEES_HOST.includes(layer)) violate('package', specifier);
        continue;
      }
      const target = resolve(file.path, specifier, known);
      if (target === undefined) {
        violate('unresolved', specifier);
        continue;
      }
      targets.push(target);
      const to = layerOf(target);
      const isAllowed = to === layer || (to !== undefined && MAY_IMPORT[layer].includes(to));
      if (!isAllowed) violate('layer', `${layer} imports ${to ?? 'nothing known'}: ${target}`);
    }
  }
  return [...violations, ...findCycles(graph)];
};

/** One violation for each group of modules that import each other, however far around. */
const findCycles = (graph: Graph): Violation[] => {
  const violations: Violation[] = [];
  const done = new Set<string>();
  for (const start of graph.keys()) {
    const cycle = done.has(start) ? null : cycleThrough(start, graph);
    if (cycle === null) continue;
    for (const path of cycle) done.add(path);
    violations.push({ rule: 'cycle', file: start, what: [...cycle, start].join(' -> ') });
  }
  return violations;
};

/** A shortest way from a module back to itself. */
const cycleThrough = (start: string, graph: Graph): readonly string[] | null => {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const next of graph.get(at) ?? []) {
      if (next === start) return wayTo(at, start, cameFrom);
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, at);
      queue.push(next);
    }
  }
  return null;
};

const wayTo = (end: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] => {
  const way = [end];
  for (let at = end; at !== start;) {
    at = cameFrom.get(at) ?? start;
    way.unshift(at);
  }
  return way;
};
