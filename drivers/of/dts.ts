import { checkSource, nodeError } from './dts-check';
import { DtsParser } from './dts-parser';
import { omitUnreferenced, PhandleAllocator, resolveReferences } from './dts-resolve';
import type { SourceResolver } from './dts-source';
import { SymbolWriter } from './dts-symbols';
import type { SourceNode } from './dts-tree';
import type { TreeLimits } from './limits';
import { TreeBudget } from './limits';
import { isRedundantName } from './names';
import { DeviceTree, DtNode } from './tree';

/** How source is read. */
export interface DtsOptions {
  /** Add `__symbols__`, so that overlays can refer to labels (`dtc -@`). */
  readonly symbols?: boolean;
  /** Read the source as an overlay although it may not say `/plugin/;`. */
  readonly plugin?: boolean;
  readonly limits?: Partial<TreeLimits>;
}

/**
 * Reads device tree source after the C preprocessor; all that dtc 1.6 understands, and label
 * relative references (`&{label/child}`) of later ones. What is wrong is an InputError with
 * `file:line:column`, what was expected and what was found; a source that still has directives
 * is a PreprocessorNeeded.
 *
 * The result is the tree dtc makes of the source, phandles included. A plugin becomes an overlay
 * with `__fixups__` and `__local_fixups__`.
 */
export const readDts = (
  source: string,
  file: string,
  resolver: SourceResolver,
  options: DtsOptions = {},
): DeviceTree => {
  const budget = new TreeBudget(options.limits);
  const symbols = options.symbols ?? false;
  const parsed = new DtsParser(source, file, resolver, budget, options.plugin ?? false).parse();

  checkSource(parsed);
  const allocator = new PhandleAllocator(parsed.root, budget);
  resolveReferences(parsed, allocator, budget);
  omitUnreferenced(parsed.root, allocator, symbols);

  const writer = new SymbolWriter(parsed, budget);
  if (symbols) writer.addSymbols(allocator);
  if (parsed.isPlugin) writer.addFixups();

  const root = new DtNode('', null);
  build(root, parsed.root);
  return new DeviceTree(root, [...parsed.memReserve], parsed.bootCpu);
};

const build = (to: DtNode, from: SourceNode): void => {
  to.place = from.place;
  to.labels.push(...from.labels);
  for (const property of from.properties) {
    const { name, value, place } = property;
    if (isRedundantName(to, { name, value: value.bytes })) continue;
    if (name === 'name') {
      throw nodeError(
        from,
        place,
        `"${to.baseName}", the node's name, or nothing`,
        'another',
        property,
      );
    }
    to.setProperty(name, value.bytes, place);
  }
  for (const child of from.children) build(to.appendChild(child.name), child);
};
