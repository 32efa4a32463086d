import ts from 'typescript';
import { layerOf, SEES_HOST } from './layers';
import type { Violation } from './module-graph';
import type { ProjectFile } from './project-files';

/** Globals through which a program sees its host, or chance, or when it runs. */
const HOST_GLOBALS: ReadonlySet<string> = new Set([
  ...['process', 'console', 'globalThis', 'global', 'self', 'window', 'navigator'],
  ...['Date', 'performance', 'crypto', 'Intl', 'WeakRef', 'FinalizationRegistry'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Atomics'],
  ...['clearTimeout', 'clearInterval', 'clearImmediate'],
  ...['require', 'module', 'exports', '__dirname', '__filename', 'eval', 'Function'],
  ...['Buffer', 'fetch', 'Worker', 'structuredClone'],
]);

/**
 * What a module without any reference to such a global does not have in its text, comments included;
 * an escape may spell anything. It spares parsing most modules.
 */
const SUSPECT = new RegExp(
  String.raw`\b(?:${[...HOST_GLOBALS].join('|')})\b|\bMath\b(?!\.(?!random)\w)|\bimport\b(?!\s+[\w{*'"])|\\u`,
);

/** Where a module of the simulation refers to a global of the host: found in the syntax tree. */
export const checkGlobals = (files: readonly ProjectFile[]): Violation[] =>
  files.flatMap(({ path, text }) => {
    const layer = layerOf(path);
    if (layer !== undefined && SEES_HOST.includes(layer)) return [];
    if (!SUSPECT.test(text)) return [];
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    const violations: Violation[] = [];
    const visit = (node: ts.Node): void => {
      const name = forbiddenName(node);
      if (name !== null) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
        violations.push({ rule: 'global', file: path, what: `line ${line + 1}: ${name}` });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return violations;
  });

const forbiddenName = (node: ts.Node): string | null => {
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
    return 'import.meta';
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return node.arguments.every(ts.isStringLiteral) ? null : 'import() of a computed name';
  }
  if (!ts.isIdentifier(node) || !isReference(node) || isDeclaredAbove(node)) return null;
  if (HOST_GLOBALS.has(node.text)) return node.text;
  return node.text === 'Math' && !isMathWithoutChance(node) ? 'Math.random' : null;
};

/** `Math.name` for any other name; all else that one can do with Math may lead to its chance. */
const isMathWithoutChance = ({ parent }: ts.Identifier): boolean =>
  ts.isPropertyAccessExpression(parent) && parent.name.text !== 'random';

/** False for names of properties, members, labels and types, and where something is declared. */
const isReference = (node: ts.Identifier): boolean => {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent) || ts.isTypeReferenceNode(parent)) return false;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent))
    return parent.initializer === node;
  if (ts.isPropertyDeclaration(parent)) return parent.initializer === node;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent)) return false;
  return !('name' in parent && parent.name === node) && !isImportOrExport(parent);
};

const isImportOrExport = (node: ts.Node): boolean =>
  ts.isImportSpecifier(node) || ts.isImportClause(node) || ts.isNamespaceImport(node);

/** True if a scope around the reference declares the name, which then is no global. */
const isDeclaredAbove = (reference: ts.Identifier): boolean => {
  for (let scope: ts.Node = reference; !ts.isSourceFile(scope);) {
    scope = scope.parent;
    if (isScope(scope) && declares(scope, reference.text)) return true;
  }
  return false;
};

const isScope = (node: ts.Node): boolean =>
  ts.isSourceFile(node) ||
  ts.isBlock(node) ||
  ts.isFunctionLike(node) ||
  ts.isClassLike(node) ||
  ts.isForStatement(node) ||
  ts.isForOfStatement(node) ||
  ts.isForInStatement(node) ||
  ts.isCatchClause(node) ||
  ts.isCaseBlock(node);

/** A declaration of the name in a scope itself, not in a scope within it. */
const declares = (scope: ts.Node, name: string): boolean => {
  const search = (node: ts.Node): boolean => {
    if (declaredNames(node).includes(name)) return true;
    if (isScope(node)) return false;
    return ts.forEachChild(node, child => search(child) || undefined) ?? false;
  };
  return ts.forEachChild(scope, child => search(child) || undefined) ?? false;
};

const declaredNames = (node: ts.Node): string[] => {
  const isBinding =
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isImportSpecifier(node) ||
    ts.isImportClause(node) ||
    ts.isNamespaceImport(node);
  return isBinding && node.name !== undefined && ts.isIdentifier(node.name) ? [node.name.text] : [];
};
