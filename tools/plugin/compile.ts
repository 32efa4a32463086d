import { createRequire } from 'node:module';
import type * as TypeScript from 'typescript';
import { InputError } from '../../drivers/base/types/errors';
import { readText } from '../board/files';

/* TypeScript of a user, without a look at its types: that is what their own compiler is for. */

/** A module as Node runs it, and the way back to its source. */
export interface Compiled {
  readonly code: string;
  /** A source map, as JSON. */
  readonly map: string;
}

/** Compiles a file to CommonJS. InputError for what is no TypeScript, and without a compiler. */
export const compile = (file: string, shownAs: string): Compiled => {
  const compiler = compilerFor(file, shownAs);
  const { outputText, sourceMapText, diagnostics } = compiler.transpileModule(readText(file), {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      module: compiler.ModuleKind.CommonJS,
      target: compiler.ScriptTarget.ES2022,
      esModuleInterop: true,
      sourceMap: true,
    },
  });
  const [first] = diagnostics ?? [];
  if (first !== undefined) throw syntaxError(compiler, first, shownAs);
  return { code: outputText, map: sourceMapText ?? '' };
};

const syntaxError = (
  compiler: typeof TypeScript,
  { file, start, messageText }: TypeScript.Diagnostic,
  shownAs: string,
): InputError => {
  const { line, character } = file?.getLineAndCharacterOfPosition(start ?? 0) ?? {
    line: 0,
    character: 0,
  };
  return new InputError({
    place: `${shownAs}:${line + 1}:${character + 1}`,
    expected: 'TypeScript',
    found: `a syntax error: ${compiler.flattenDiagnosticMessageText(messageText, ' ')}`,
  });
};

/** The compiler that the user has installed beside the file, else one that dmabench can reach. */
const compilerFor = (file: string, shownAs: string): typeof TypeScript => {
  for (const from of [file, __filename]) {
    const found = moduleFrom(from);
    if (isCompiler(found)) return found;
  }
  throw new InputError({
    place: shownAs,
    expected: "JavaScript, or TypeScript's compiler beside it ('npm install typescript')",
    found: 'TypeScript, and no compiler that reads it',
  });
};

const moduleFrom = (file: string): unknown => {
  try {
    return createRequire(file)('typescript');
  } catch {
    return null;
  }
};

/** Later compilers may be no modules of JavaScript any more. */
const isCompiler = (found: unknown): found is typeof TypeScript =>
  typeof found === 'object' &&
  found !== null &&
  typeof Reflect.get(found, 'transpileModule') === 'function';
