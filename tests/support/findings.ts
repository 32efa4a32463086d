import type { Finding } from '../../drivers/base/types/finding';
import type { KeptFinding } from '../../tools/run/findings';
import type { Places, Story } from '../../tools/explain/story';

/* Findings and stories made by hand, for what shows and saves them. */

export const finding = (change: Partial<Finding> = {}): Finding => ({
  id: 1,
  rule: 'refill-after-invalidate',
  severity: 'error',
  device: '/ocp/dma-controller@4a056000',
  buffer: {
    allocatedAt: 'drivers/net/eth.ts:20',
    mappedAt: 'drivers/net/eth.ts:21',
    unmappedAt: null,
    range: { start: 0x8001_2340, size: 256 },
  },
  bytes: { start: 0x8001_2344, size: 4 },
  access: { kind: 'CPU load', at: 'drivers/net/eth.ts:40' },
  missing: {
    call: 'dmaSyncSingleForCpu',
    range: { start: 0x8001_2340, size: 256 },
    between: ['drivers/net/eth.ts:30', 'drivers/net/eth.ts:40'],
  },
  witness: null,
  confirmed: true,
  count: 1,
  ...change,
});

export const kept = (change: Partial<KeptFinding> = {}): KeptFinding => ({
  finding: finding(),
  proof: 'replayed',
  cases: ['eth.receives'],
  story: null,
  script: null,
  because: null,
  replay: { suite: 'eth', cases: ['sends', 'receives'], timing: 'latest', isWhole: false },
  ...change,
});

/** The byte is in memory and nowhere else. */
export const AT_REST: Places = {
  store: 'none',
  inner: ['absent'],
  outer: 'absent',
  buffer: 'none',
  memory: 'latest',
  device: 'absent',
  pending: [null],
};

const row = (
  event: number,
  actor: Story['rows'][number]['actor'],
  what: string,
  effect: Story['rows'][number]['effect'],
  places: Partial<Places>,
): Story['rows'][number] => ({
  ...{ event, actor, what, effect },
  by: actor === 'device' ? '/ocp/dma-controller@4a056000' : actor === 'unasked' ? '' : 'CPU0',
  at: actor === 'unasked' ? null : `drivers/net/eth.ts:${event}`,
  places: { ...AT_REST, ...places },
});

/** A line is invalidated, fetched again, written by the device and read from the cache. */
export const refillStory = (): Story => ({
  line: 0x8001_2340,
  lineSize: 64,
  byte: 0x8001_2344,
  lanes: ['cpu', 'inner', 'outer', 'memory', 'device'],
  before: { ...AT_REST, inner: ['clean'] },
  kind: 'stale',
  goal: 6,
  rows: [
    row(20, 'cpu', 'stores', 'write', { store: 'latest', inner: ['clean-stale'], memory: 'stale' }),
    row(21, 'unasked', 'the store leaves the store buffer', 'other', {
      inner: ['dirty'],
      memory: 'stale',
    }),
    row(22, 'kernel', 'cleans and invalidates the line', 'other', {}),
    row(25, 'cpu', 'orders (dmb)', 'other', {}),
    row(26, 'unasked', 'the inner cache fetches the line', 'other', { inner: ['clean'] }),
    row(30, 'device', 'writes', 'write', { inner: ['clean-stale'] }),
    row(40, 'cpu', 'loads', 'read', { inner: ['clean-stale'] }),
  ],
});

/** A dirty line is written back over what the device wrote: after that it is nowhere. */
export const lostStory = (): Story => ({
  ...refillStory(),
  kind: 'lost',
  goal: 1,
  before: AT_REST,
  rows: [
    row(20, 'cpu', 'stores', 'write', { inner: ['dirty'], memory: 'stale' }),
    row(30, 'device', 'writes', 'write', { inner: ['dirty-stale'] }),
    row(31, 'unasked', 'the inner cache writes the line back', 'other', {
      inner: ['clean-stale'],
      memory: 'stale',
    }),
  ],
});
