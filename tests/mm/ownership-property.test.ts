import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import type { AccessKind, Direction, DmaRange } from '../../drivers/base/types/observer';
import { Ownership } from '../../mm/ownership';
import { OwnershipOracle } from './ownership-oracle';
import { FindingList, LINE, WatchedMemory, partOf, range, site } from './watched-memory';

/** Memory across the end of a page. */
const BASE = 4096 - 128;
const SIZE = 256;

const place = { address: fc.integer({ min: BASE, max: BASE + SIZE - 1 }) };
const index = fc.nat(3);

const device = fc.constantFrom('a', 'b');
const steps = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constant('map' as const),
      device,
      ...place,
      size: fc.integer({ min: 1, max: 80 }),
      direction: fc.constantFrom<Direction>('to-device', 'from-device', 'bidirectional'),
      coherent: fc.constantFrom(false, false, false, true),
      skipsSync: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('unmap' as const), index }) },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant('sync' as const),
      index,
      to: fc.constantFrom('cpu' as const, 'device' as const),
      part: fc.oneof(fc.constant<[number, number]>([0, -1]), fc.tuple(fc.nat(99), fc.nat(99))),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant('cpu' as const),
      ...place,
      size: fc.constantFrom(1, 4, 8),
      near: fc.option(index),
      access: fc.constantFrom<AccessKind>('load', 'store', 'poll', 'load', 'store'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('maintain' as const),
      ...place,
      access: fc.constantFrom<AccessKind>('clean', 'invalidate', 'clean+invalidate'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant('device' as const),
      device,
      ...place,
      size: fc.integer({ min: 1, max: LINE }),
      write: fc.boolean(),
      near: fc.option(index),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('begin' as const),
      device,
      number: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('act' as const),
      number: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('end' as const),
      number: fc.integer({ min: 1, max: 3 }),
    }),
  },
);
type Step = typeof steps extends fc.Arbitrary<infer S> ? S : never;

/** Ownership and the oracle, told the same; transfers of device a have odd numbers. */
class Both {
  readonly oracle = new OwnershipOracle();
  readonly watch = new WatchedMemory();
  readonly findings = new FindingList();
  readonly ownership = new Ownership({
    watch: this.watch,
    findings: this.findings,
    now: () => 0,
    lineBytes: LINE,
    dropsAtMap: true,
  });
  readonly mapped: DmaRange[] = [];
  readonly #found = new Set<string>();
  readonly #transfers = new Map<number, string>();

  take(step: Step): void {
    switch (step.step) {
      case 'map':
        this.#map(range({ ...step, driver: 'x' }));
        break;
      case 'unmap':
        this.#unmap(step.index);
        break;
      case 'sync':
        this.#sync(step.index, step.to, step.part);
        break;
      case 'cpu':
        this.#touch(step);
        break;
      case 'maintain':
        this.#cpu(step.access, step.address - (step.address % LINE), LINE);
        break;
      case 'device':
        this.#device(step);
        break;
      case 'begin':
        this.#begin(step.device, step.number);
        break;
      case 'act':
        this.#act(step.number);
        break;
      case 'end':
        this.#end(step.number);
        break;
    }
  }

  finish(): void {
    this.mapped.forEach((_, i) => {
      this.#unmap(i);
    });
    for (const number of [1, 2, 3]) this.#end(number);
  }

  /** What both have found so far, as `rule device byte`, each once. */
  compare(step: string): void {
    for (const { rule, device, bytes } of this.findings.all.splice(0)) {
      for (let i = 0; i < bytes.size; i++) this.#found.add(`${rule} ${device} ${bytes.start + i}`);
    }
    const { broken } = this.oracle;
    const isEqual =
      broken.size === this.#found.size && [...broken].every(one => this.#found.has(one));
    if (!isEqual) assert.deepEqual([...this.#found].sort(), [...broken].sort(), step);
  }

  #map(range: DmaRange): void {
    // Two mappings of a device at one bus address could not be told apart when one is unmapped.
    const isLive = (i: number): boolean => this.oracle.mappings[i]?.isLive === true;
    const same = (one: DmaRange): boolean =>
      one.device === range.device && one.busAddress === range.busAddress;
    if (this.mapped.some((one, i) => isLive(i) && same(one))) return;
    this.mapped.push(range);
    this.oracle.map(range);
    this.ownership.mapBegins(range, site('map'));
    this.ownership.dmaMapped(range, site('map'));
  }

  #unmap(at: number): void {
    const range = this.mapped[at];
    if (range === undefined || this.oracle.mappings[at]?.isLive !== true) return;
    this.ownership.callBegins('unmap', partOf(range), site('unmap'));
    this.oracle.unmap(at);
    this.#maintain(range.address, range.size);
    this.ownership.dmaUnmapped(partOf(range), site('unmap'));
  }

  #sync(at: number, to: 'cpu' | 'device', [offset, length]: [number, number]): void {
    const range = this.mapped[at];
    if (range === undefined || this.oracle.mappings[at]?.isLive !== true) return;
    const from = offset % range.size;
    const size = length < 0 ? range.size : 1 + (length % (range.size - from));
    const call = { ...partOf(range, from, size), skipsSync: false };
    const operation = to === 'cpu' ? 'sync for CPU' : 'sync for device';
    this.ownership.callBegins(operation, call, site('sync'));
    this.oracle.sync(at, to, from, size);
    this.#maintain(range.address + from, size);
    if (to === 'cpu') this.ownership.syncedForCpu(call, site('sync'));
    else this.ownership.syncedForDevice(call, site('sync'));
  }

  /** What a call of the DMA API does to the lines of its bytes. */
  #maintain(start: number, size: number): void {
    const own = Array.from({ length: size }, (_, i) => start + i);
    for (let line = start - (start % LINE); line < start + size; line += LINE) {
      this.#cpu('invalidate', line, LINE, own);
    }
  }

  #cpu(access: AccessKind, address: number, size: number, own: readonly number[] = []): void {
    this.oracle.cpu(access, address, size, own);
    if (this.watch.isWatched(address, size)) this.ownership.cpuTouches(access, address, size);
  }

  #touch({ access, address, size, near }: Extract<Step, { step: 'cpu' }>): void {
    const at = this.#nearTo(near, address);
    this.#cpu(access, at, Math.min(size, LINE - (at % LINE)));
  }

  #device({ device, write, address, size, near }: Extract<Step, { step: 'device' }>): void {
    const at = this.#nearTo(near, address);
    const name = this.mapped[near ?? -1]?.device ?? device;
    const part = Math.min(size, LINE - (at % LINE));
    this.oracle.device(name, write, at, part);
    this.ownership.deviceTouches(name, write, at, part);
  }

  /** Into a mapping, if that is wished. */
  #nearTo(near: number | null, address: number): number {
    const mapping = this.mapped[near ?? -1];
    return mapping === undefined ? address : mapping.address + (address % mapping.size);
  }

  #begin(name: string, number: number): void {
    if (this.#transfers.has(number)) return;
    this.#transfers.set(number, name);
    this.oracle.begin(name, number);
    this.ownership.transfers.begins(name, number);
  }

  /** One device acts at a time. */
  #act(number: number): void {
    const name = this.#transfers.get(number);
    for (const other of ['a', 'b']) this.ownership.transfers.acts(other, 0);
    this.oracle.act(0);
    if (name === undefined) return;
    this.oracle.act(number);
    this.ownership.transfers.acts(name, number);
  }

  #end(number: number): void {
    const name = this.#transfers.get(number);
    if (name === undefined) return;
    this.#transfers.delete(number);
    this.oracle.end(number);
    this.ownership.transfers.ends(name, number);
  }
}

test('ownership finds what a record of each byte finds, byte for byte, and stops watching at the end', t => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(steps, { minLength: 20, maxLength: 60, size: 'max' }), all => {
      const both = new Both();
      for (const step of all) {
        both.take(step);
        both.compare(step.step);
      }
      for (const one of both.oracle.broken) seen.add(one.split(' ')[0] ?? '');
      both.finish();
      assert.equal(both.watch.watched, 0);
    }),
    { numRuns: 500 },
  );
  t.deepEqual([...seen].sort(), [
    'cpu-access-in-transfer',
    'cpu-access-to-device-buffer',
    'device-access-after-unmap',
    'device-access-against-direction',
    'device-access-not-given',
    'device-access-unmapped',
    'shared-line',
  ]);
});
