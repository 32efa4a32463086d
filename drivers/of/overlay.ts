import { InputError } from '../base/types/errors';
import { checkLimits } from './limits';
import { fragmentsOf, Merger } from './overlay-merge';
import { keepBasePhandles, OverlayReferences } from './overlay-references';
import { BaseLabels, mergeSymbols } from './overlay-symbols';
import type { DeviceTree } from './tree';
import { copyTree, showPlace } from './tree';

/** Far above any real overlay; each costs a search of the base. */
const MAX_FRAGMENTS = 4096;

/** True if the tree is an overlay: some node under its root has an `__overlay__`. */
export const isOverlay = ({ root }: DeviceTree): boolean => fragmentsOf(root).length > 0;

/**
 * The base with an overlay applied; neither argument is changed. The overlay is in the form in
 * which readDts() makes it of a plugin, or readFdt() reads it from a DTBO.
 *
 * The result is that of libfdt's fdt_overlay_apply(), the order of nodes and properties included:
 * what is new comes first. Beyond libfdt 1.6, as most boards have no `__symbols__`:
 * - labels are looked up in `__symbols__`, then among those the base has from its source;
 * - a reference may also be a path, as in `<&{/soc/iommu@1000} 3>`;
 * - a node of the base is given a phandle if one is needed, and keeps the one it has.
 *
 * What cannot be applied is an InputError that names the place in the overlay.
 */
export const applyOverlay = (base: DeviceTree, overlay: DeviceTree): DeviceTree => {
  const tree = copyTree(base);
  const patch = copyTree(overlay);
  const fragments = fragmentsOf(patch.root);
  if (fragments.length === 0 || fragments.length > MAX_FRAGMENTS) {
    const place = patch.root.place === undefined ? '/' : showPlace(patch.root.place);
    const expected = `an overlay: 1 to ${MAX_FRAGMENTS} nodes with target and __overlay__`;
    throw new InputError({ place, expected, found: `${fragments.length}` });
  }

  const references = new OverlayReferences(patch);
  references.resolve(tree, new BaseLabels(tree));
  const merger = new Merger(tree);
  const kept = new Map<number, number>();
  for (const { node, content } of fragments) {
    const target = merger.findTarget(node);
    if (target !== undefined) keepBasePhandles(target, content, kept);
  }
  references.replace(kept);

  const targets = fragments.map(({ node, content }) => {
    // Not before: an earlier fragment may have made the target of this one.
    const target = merger.targetOf(node);
    merger.merge(target, content);
    return target;
  });
  mergeSymbols(tree, patch, fragments, targets);
  checkLimits(tree);
  return tree;
};
