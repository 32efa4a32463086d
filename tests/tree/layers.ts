/*
 * The parts of the project and what each may import: section 3 of the design, as a table. Software
 * and hardware meet in `machines` only.
 */

export type Layer =
  | 'base/types'
  | 'base/hw'
  | 'base/kernel'
  | 'data sheet'
  | 'arch hardware'
  | 'model'
  | 'arch software'
  | 'mm'
  | 'of'
  | 'driver'
  | 'machines'
  | 'suites'
  | 'api'
  | 'tools'
  | 'tests';

const PLACES: readonly (readonly [place: RegExp, layer: Layer])[] = [
  [/^drivers\/base\/types\//, 'base/types'],
  [/^drivers\/base\/hw\//, 'base/hw'],
  [/^drivers\/base\/kernel\//, 'base/kernel'],
  [/^(?:arch|drivers)\/.*\/regs(?:\.ts$|\/)/, 'data sheet'],
  [/^arch\/[^/]+\/mm\//, 'arch software'],
  [/^arch\//, 'arch hardware'],
  [/^mm\//, 'mm'],
  [/^drivers\/of\//, 'of'],
  [/^drivers\/iommu\/(?:hw|walk)\//, 'model'],
  [/^drivers\/.*\/model(?:\.ts$|\/)/, 'model'],
  [/^drivers\/gpu\/drm\//, 'driver'],
  [/^drivers\/.*\/driver(?:\.ts$|\/)/, 'driver'],
  [/^machines\//, 'machines'],
  [/^tests\/suites\//, 'suites'],
  [/^tests\//, 'tests'],
  [/^api\//, 'api'],
  [/^tools\//, 'tools'],
];

/** The part that a module belongs to; undefined for one that stands where nothing belongs. */
export const layerOf = (path: string): Layer | undefined =>
  PLACES.find(([place]) => place.test(path))?.[1];

const SHARED = ['base/types', 'data sheet'] as const;
const HARDWARE = ['base/hw', 'arch hardware', 'model'] as const;
const SOFTWARE = ['base/kernel', 'arch software', 'mm', 'of', 'driver'] as const;
const PRODUCT = [...SHARED, ...HARDWARE, ...SOFTWARE, 'machines'] as const;

/** What a module of each part may import, beside others of the same part. */
export const MAY_IMPORT: Readonly<Record<Layer, readonly Layer[]>> = {
  'base/types': [],
  'data sheet': ['base/types'],

  'base/hw': ['base/types'],
  'arch hardware': [...SHARED, 'base/hw'],
  model: [...SHARED, 'base/hw'],

  'base/kernel': ['base/types'],
  mm: [...SHARED, 'base/kernel'],
  of: ['base/types', 'base/kernel'],
  'arch software': [...SHARED, 'base/kernel', 'mm'],
  driver: [...SHARED, 'base/kernel', 'mm', 'of'],

  machines: [...SHARED, ...HARDWARE, ...SOFTWARE],
  suites: PRODUCT,
  api: [...PRODUCT, 'suites', 'tools'],
  tools: [...PRODUCT, 'suites'],
  tests: [...PRODUCT, 'suites', 'tools'],
};

/** Parts that may see the host they run on: files, time, the process, packages. */
export const SEES_HOST: readonly Layer[] = ['tools', 'tests'];
