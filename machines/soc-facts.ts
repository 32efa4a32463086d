/*
 * What a device tree leaves out and software would probe, or a boot loader would fill in: facts
 * of the SoC, by the strings of the root's `compatible`. Each with its source, or *assumed*.
 */

import type { Fact, Facts } from './soc/fact';
import { SOCS } from './soc/socs';

export type { Fact, Facts };

/** The facts of a machine: for each, the entry of the most specific string that has it. */
export const socFacts = (compatible: readonly string[]): Facts =>
  compatible
    .flatMap(name => SOCS.filter(soc => soc.compatible.includes(name)))
    .reduceRight<Facts>((facts, { facts: more }) => ({ ...facts, ...more }), {});
