import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { RULES } from '../../drivers/base/types/rules';
import type { CpuAddr } from '../../drivers/base/types/address';
import { Random } from '../../drivers/base/types/random';
import { DESCRIPTOR } from '../../drivers/misc/test-master/regs';
import { bootMachine } from '../../machines/boot';
import { boardNames } from '../../machines/boards';
import type { Machine } from '../../machines/machine';
import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { BOARD_FILES } from '../../tools/board/board-files';
import { openBoard, planBoard } from '../../tools/board/open';
import { BUGS, benchesFor } from '../suites/bugs';
import { flush, invalidate } from '../suites/bugs/maintenance';
import { DONE, setOperands, setOwn, waitForDone } from '../suites/bugs/ring';
import { DriverBench, byteAt, withoutSharedPages } from '../suites/driver-bench';
import { corpusPath } from '../support/corpus';

/*
 * Correct code on a core that Linux supports has no finding: the routines of every maintenance
 * table, used as Linux uses them, and what drivers rightly do that looks wrong.
 */

const TIMINGS: readonly DmaTiming[] = ['earliest', 'latest'];

/** One timing in turn: a sequence of calls meets both on boards that are alike. */
let tests = 0;
const nextTiming = (): DmaTiming => TIMINGS[tests++ % TIMINGS.length] ?? 'latest';
const { Bidirectional, FromDevice, ToDevice } = DmaDirection;
const DIRECTIONS = [Bidirectional, ToDevice, FromDevice] as const;
/** In and around lines of 32 and 64 bytes; a size of several pages is one more. */
const SIZES = [1, 4, 31, 32, 33, 60, 64, 65, 128, 200];
const OFFSETS = [0, 4, 28, 32, 60, 64];
const LARGE = 4096 + 100;

/** IOMMUs let all pass: what is looked at is caches. */
const DIRECT = { memory: null, quirks: [], dmaMemory: { iommuPassthrough: true } } as const;

const bootChecked = (board: string, timing: DmaTiming): Machine =>
  bootMachine(planBoard(openBoard(board, []), DIRECT), {
    adversary: 'all',
    random: new Random(1),
    timing,
    streaming: ALL_STEPS,
  });

/** What was found since the last call, but for notes. */
const found = ({ findings }: Machine): string[] =>
  (findings?.take() ?? [])
    .filter(({ rule }) => RULES[rule].severity !== 'note')
    .map(({ rule, access }) => `${rule}: ${access.kind} at ${access.at ?? 'nowhere'}`);

const drivers = (machine: Machine): readonly DriverBench[] =>
  (['non-coherent', 'coherent'] as const).flatMap(kind => DriverBench.on(machine, kind) ?? []);

/** One board for each maintenance table, by what it is. */
const TABLES: Readonly<Record<string, string | undefined>> = {
  'versatile-pb, v4wb': 'versatile-pb',
  'rpi-b, v6': 'rpi-b',
  'n810, v6 with aliases': 'n810',
  'beagle-xm, v7': 'beagle-xm',
  'imx6q-sabresd, v7 with PL310': 'imx6q-sabresd',
  'highbank, v7 with PL310 and devices that snoop': 'highbank',
  'vexpress-a15, v7 with LPAE': 'vexpress-a15',
  'rpi-4, v8': 'rpi-4',
  'juno, v8 with devices that snoop': 'juno',
  'armhf/stm32h750i-art-pi, v7-M': corpusPath('armhf/stm32h750i-art-pi'),
};

const onTables = (
  title: string,
  body: (t: ExecutionContext, bench: DriverBench) => void,
  unfit: (machine: Machine) => boolean = () => false,
): void => {
  for (const [name, board] of Object.entries(TABLES)) {
    if (board === undefined) {
      test.skip(`${name}: ${title}`, t => {
        t.fail();
      });
      continue;
    }
    const timing = nextTiming();
    test(`${name}: ${title}`, t => {
      const machine = bootChecked(board, timing);
      const benches = unfit(machine) ? [] : drivers(machine);
      for (const bench of benches) {
        body(t, bench);
        t.deepEqual(found(machine), [], `${timing}, ${bench.dev.name}`);
      }
      if (benches.length === 0) t.log('not on this board');
      t.pass();
    });
  }
};

/** A buffer of so many bytes at this offset of an allocation of its own, mapped and unmapped. */
const exchange = (
  t: ExecutionContext,
  bench: DriverBench,
  direction: (typeof DIRECTIONS)[number],
  size: number,
  offset: number,
): void => {
  const { dev, device } = bench;
  const memory = bench.kmalloc(offset + size);
  const buffer = byteAt(memory, offset);
  for (const round of [1, 2]) {
    bench.fill(buffer, size, round);
    const dma = bench.mapped(dmaMapSingle(dev, buffer, size, direction));
    if (direction !== FromDevice) t.is(device.checkPattern(dma, size, round).mismatches, 0);
    if (direction !== ToDevice) device.writePattern(dma, size, round + 9);
    dmaSyncSingleForCpu(dev, dma, size, direction);
    t.is(bench.wrongBytes(buffer, size, direction === ToDevice ? round : round + 9), 0);
    if (direction !== FromDevice) bench.fill(buffer, size, round + 5);
    dmaSyncSingleForDevice(dev, dma, size, direction);
    if (direction !== FromDevice) t.is(device.checkPattern(dma, size, round + 5).mismatches, 0);
    else device.writePattern(dma, size, round + 7);
    dmaUnmapSingle(dev, dma, size, direction);
    t.is(bench.wrongBytes(buffer, size, direction === FromDevice ? round + 7 : round + 5), 0);
  }
  bench.kfree(memory);
};

onTables('every routine, direction, size and offset is used without a finding', (t, bench) => {
  for (const direction of DIRECTIONS) {
    for (const size of SIZES) {
      for (const offset of OFFSETS) exchange(t, bench, direction, size, offset);
    }
    exchange(t, bench, direction, LARGE, 36);
  }
});

onTables('short packets and partial syncs have no finding', (t, bench) => {
  const { dev, device } = bench;
  const size = 1024;
  const buffer = bench.kmalloc(size);
  bench.fill(buffer, size, 0);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, size, FromDevice));
  for (const received of [1, 60, 64, 100, 512, 1024]) {
    device.writePattern(dma, received, received);
    dmaSyncSingleForCpu(dev, dma, received, FromDevice);
    t.is(bench.wrongBytes(buffer, received, received), 0);
    dmaSyncSingleForDevice(dev, dma, received, FromDevice);
  }
  dmaUnmapSingle(dev, dma, size, FromDevice);
  bench.kfree(buffer);
});

onTables('memory that others have dirtied before has no finding', (t, bench) => {
  const { dev, device } = bench;
  for (let round = 0; round < 6; round++) {
    const dirtied = bench.kmalloc(512);
    bench.fill(dirtied, 512, 50);
    bench.kfree(dirtied);
    const buffer = bench.kmalloc(512);
    const dma = bench.mapped(dmaMapSingle(dev, buffer, 512, FromDevice));
    device.writePattern(dma, 512, round);
    dmaUnmapSingle(dev, dma, 512, FromDevice);
    t.is(bench.wrongBytes(buffer, 512, round), 0);
    bench.kfree(buffer);
  }
});

const hasNoShared = (machine: Machine): boolean => withoutSharedPages(machine) !== null;

/** A driver that fills in a descriptor, rings or not, polls its end, and reads what is there. */
const runRing = (t: ExecutionContext, bench: DriverBench, ring: 'told' | 'polled'): void => {
  const { dev, device, cpu } = bench;
  const { barriers } = dev.services;
  const entries = 8;
  const shared = bench.allocShared();
  device.startRing(shared.dmaAddress, entries);
  if (ring === 'polled') device.pollRing(10_000);
  for (let round = 0; round < 3 * entries; round++) {
    const index = round % entries;
    const descriptor = bench.cpuAt(shared, index * DESCRIPTOR.SIZE);
    const write = round % 3 !== 0;
    const data = 1024 + 128 * index;
    if (!write) bench.storeWords(bench.cpuAt(shared, data), 64, round);
    const address = bench.dmaAt(shared, data);
    setOperands(bench, descriptor, { write, address, length: 64, seed: round });
    barriers.dmaWmb();
    setOwn(bench, descriptor, write);
    if (ring === 'told') device.ringDoorbell((index + 1) % entries);
    t.true(waitForDone(bench, descriptor));
    barriers.dmaRmb();
    t.is(cpu.load32(descriptor + DESCRIPTOR.MISMATCHES), 0, 'the neighbour of a polled word');
    if (write) t.is(bench.wrongBytes(bench.cpuAt(shared, data), 64, round), 0);
  }
  bench.sleepUntilDone();
  device.stopRing();
  bench.freeShared(shared);
};

onTables(
  'a descriptor ring with a doorbell has no finding',
  (t, bench) => {
    runRing(t, bench, 'told');
  },
  hasNoShared,
);

onTables(
  'a descriptor ring that the device polls, with dma_wmb(), has no finding',
  (t, bench) => {
    runRing(t, bench, 'polled');
  },
  hasNoShared,
);

/** Maintenance as a driver's own, where the device does not snoop. */
const maintain = (bench: DriverBench, routine: typeof flush, at: CpuAddr): void => {
  if (!bench.dev.dma.coherent) routine(bench, at, LIST);
};
const LIST = 128;

onTables(
  'a status that is invalidated and polled, and its neighbours, have no finding',
  (t, bench) => {
    const { cpu, dev, device } = bench;
    const list = bench.kmalloc(LIST);
    const buffer = bench.kmalloc(64);
    for (let at = 0; at < LIST; at += 4) cpu.store32(list + at, 0);
    bench.fill(buffer, 64, 3);
    const data = bench.mapped(dmaMapSingle(dev, buffer, 64, ToDevice));
    setOperands(bench, list, { write: false, address: data, length: 64, seed: 4 });
    setOwn(bench, list, false);
    const dma = bench.mapped(dmaMapSingle(dev, list, LIST, Bidirectional, DmaAttr.SkipCpuSync));
    maintain(bench, flush, list);
    device.startRing(dma, 4);
    device.ringDoorbell(1);
    let looks = 0;
    for (; looks < 100; looks++) {
      maintain(bench, invalidate, list);
      if (DONE.of(cpu.poll32(list + DESCRIPTOR.FLAGS)) === 1) break;
      cpu.relax(100);
    }
    t.true(looks < 100);
    dev.services.barriers.dmaRmb();
    t.true(cpu.load32(list + DESCRIPTOR.MISMATCHES) > 32);
    t.is(cpu.load32(list + DESCRIPTOR.LENGTH), 64);
    bench.sleepUntilDone();
    device.stopRing();
    dmaUnmapSingle(dev, dma, LIST, Bidirectional, DmaAttr.SkipCpuSync);
    dmaUnmapSingle(dev, data, 64, ToDevice);
    bench.kfree(buffer);
    bench.kfree(list);
  },
);

for (const board of ['rpi-4', 'juno', 'imx8mm']) {
  test(`${board}: the clean cacheable alias that arm64 keeps of shared memory is harmless`, t => {
    for (const timing of TIMINGS) {
      const machine = bootChecked(board, timing);
      const bench = DriverBench.on(machine, 'non-coherent');
      if (bench === null) return t.fail('no master that does not snoop');
      const shared = bench.allocShared();
      t.true(bench.addressOf(shared.page) !== shared.cpuAddress, 'lines may be filled by either');
      for (let round = 0; round < 4; round++) {
        bench.device.writePattern(shared.dmaAddress, 256, round);
        t.is(bench.wrongBytes(shared.cpuAddress, 256, round), 0);
        bench.storeWords(shared.cpuAddress, 256, round + 20);
        t.is(bench.device.checkPattern(shared.dmaAddress, 256, round + 20).mismatches, 0);
      }
      bench.freeShared(shared);
      t.deepEqual(found(machine), [], timing);
    }
  });
}

test('no driver of the bugs makes a finding once it is fixed, on any board', t => {
  for (const board of boardNames(BOARD_FILES)) {
    const machine = bootChecked(board, 'latest');
    for (const bug of BUGS.filter(({ unfit }) => unfit(machine) === null)) {
      for (const bench of benchesFor(machine, bug)) {
        t.is(bug.fixed(bench), 0, `${board}: ${bug.name}`);
        t.deepEqual(found(machine), [], `${board}: ${bug.name}`);
      }
    }
  }
});
