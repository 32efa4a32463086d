/*
 * What a name may be made of: Devicetree Specification 0.4, sections 2.2.1 (nodes) and
 * 2.2.4.1 (properties). The root's name is empty.
 */

import { stringBytes } from './bytes';
import type { DtNode, Property } from './tree';

/** Characters of a node name, `@` before the unit address included. */
export const isNodeName = (name: string): boolean => /^[a-zA-Z0-9,._+\-@]*$/.test(name);

/** Characters of a property name, of which there is at least one. */
export const isPropertyName = (name: string): boolean => /^[a-zA-Z0-9,._+*#?-]+$/.test(name);

/** Visible ASCII: what can be shown and typed. */
export const isPrintable = (name: string): boolean => /^[!-~]*$/.test(name);

/**
 * True for a `name` property that repeats its node's name. Old trees carry one in every node and
 * Linux makes one for /proc; it says nothing, so readers drop it, as dtc does.
 */
export const isRedundantName = (node: DtNode, { name, value }: Property): boolean => {
  if (name !== 'name') return false;
  const expected = stringBytes(node.baseName);
  return value.length === expected.length && value.every((byte, i) => byte === expected[i]);
};
