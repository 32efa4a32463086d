import { InputError } from '../drivers/base/types/errors';
import type { Arch } from '../drivers/of/linux';
import type { DeviceTree } from '../drivers/of/tree';

/*
 * What takes data round where a device does not reach it: swiotlb, as the kernel has it today where
 * it is built so; or dmabounce, which kernels for SA-1111, IXP4xx and IT8152 boards had up to 5.19.
 */

export type BounceName = 'swiotlb' | 'dmabounce';

/** Where a tree chooses: a property of /chosen. */
const PROPERTY = 'dmabench,bounce';
const NAMES: readonly BounceName[] = ['swiotlb', 'dmabounce'];

/** A name that somebody has written; InputError at `place` for any other word. */
export const parseBounce = (text: string, place: string, property?: string): BounceName => {
  const name = NAMES.find(one => one === text);
  if (name !== undefined) return name;
  throw problem(place, property, NAMES.join(' or '), `'${text}'`);
};

/** What a user, else the tree chooses, else swiotlb. InputError for dmabounce on arm64. */
export const bounceNameOf = (
  tree: DeviceTree,
  arch: Arch,
  chosen: BounceName | undefined,
): BounceName => {
  const text = tree.at('/chosen')?.string(PROPERTY);
  const ofTree = text === undefined ? 'swiotlb' : parseBounce(text, '/chosen', PROPERTY);
  const name = chosen ?? ofTree;
  if (name !== 'dmabounce' || arch === 'arm32') return name;
  const [place, property] = chosen === undefined ? ['/chosen', PROPERTY] : ['--bounce', undefined];
  throw problem(place, property, 'a 32-bit ARM machine', arch);
};

const problem = (
  place: string,
  property: string | undefined,
  expected: string,
  found: string,
): InputError =>
  new InputError({ place, expected, found, ...(property === undefined ? {} : { property }) });
