import test from 'ava';
import { CheckedComplex } from '../../arch/arm/checked/complex';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { Random } from '../../drivers/base/types/random';
import type { RuleId } from '../../drivers/base/types/rules';
import { bootMachine } from '../../machines/boot';
import { Observation } from '../../machines/observation';
import {
  DmaDirection,
  dmaBitMask,
  dmaMapSingle,
  dmaMappingError,
  dmaSetMask,
  dmaSyncSingleForCpu,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { DEBUG_AREAS } from '../mm/debug-kernel';
import { WatchedMemory } from '../mm/watched-memory';
import { boot, planOf } from '../support/booted';
import { dmaStreamingSuite } from '../suites/dma-streaming';
import { CaseContext } from '../suites/suite';

/*
 * Observer, ownership and dma-debug on whole machines: the parts are tested in tests/mm.
 */

const { FromDevice, ToDevice } = DmaDirection;
const SIZE = 256;

const checked = (board: string, timing: DmaTiming = 'latest') =>
  bootMachine(planOf(board), {
    adversary: 'all',
    random: new Random(1),
    timing,
    streaming: ALL_STEPS,
  });

const bench = (board: string, timing: DmaTiming = 'latest') => {
  const machine = checked(board, timing);
  const { kernel, findings, observer } = machine;
  const master = machine.masters.find(({ device }) => !device.dev.dma.coherent)?.device;
  if (master === undefined || findings === null || observer === null) throw new Error(board);
  const buffer = (): CpuAddr => {
    const at = kernel.slab.kmalloc(SIZE, GFP_KERNEL);
    if (at === null) throw new Error('no memory');
    for (let i = 0; i < SIZE; i++) kernel.cpu.store8(at + i, i);
    return at;
  };
  const map = (at: CpuAddr, direction: DmaDirection) => {
    const address = dmaMapSingle(master.dev, at, SIZE, direction);
    dmaMappingError(master.dev, address);
    return address;
  };
  const rules = (): RuleId[] => findings.take().map(({ rule }) => rule);
  return { machine, kernel, cpu: kernel.cpu, master, observer, findings, buffer, map, rules };
};

/** An ARMv7 with an outer cache, an ARMv6, an ARMv5, an arm64. */
const BOARDS = ['imx6q-sabresd', 'rpi-b', 'versatile-pb', 'imx8mm'] as const;

for (const board of BOARDS) {
  test(`${board}: a machine boots, and a driver that does everything right works, without a finding`, t => {
    const { kernel, cpu, master, observer, buffer, map, rules } = bench(board);
    t.deepEqual(rules(), []);
    const at = buffer();
    const address = map(at, FromDevice);
    t.is(master.writePattern(address, SIZE, 3), 0);
    dmaSyncSingleForCpu(master.dev, address, SIZE, FromDevice);
    cpu.load32(at);
    dmaUnmapSingle(master.dev, address, SIZE, FromDevice);
    cpu.load32(offsetBy(at, 64));
    kernel.slab.kfree(at);
    observer.finish();
    t.deepEqual(rules(), []);
  });

  test(`${board}: whoever touches what is not its own is found, with the places in the driver`, t => {
    const { cpu, master, findings, buffer, map, rules } = bench(board);
    const at = buffer();
    const address = map(at, ToDevice);
    cpu.store32(at, 1);
    const [found] = findings.take();
    t.like(found, { rule: 'cpu-access-to-device-buffer', device: master.dev.name, verdict: null });
    for (const place of [found?.access.at, found?.buffer?.mappedAt, found?.buffer?.allocatedAt]) {
      t.regex(place ?? '', /^tests\/machines\/observation\.test\.ts:\d+$/);
    }
    t.deepEqual(found?.missing?.between, [found?.buffer?.mappedAt, found?.access.at]);
    dmaUnmapSingle(master.dev, address, SIZE, ToDevice);
    t.deepEqual(rules(), []);
    master.checkPattern(address, SIZE, 3);
    t.true(rules().includes('device-access-after-unmap'));
  });

  test(`${board}: what is left mapped is told at the end, in the words of the kernel`, t => {
    const { master, observer, findings, buffer, map } = bench(board);
    map(buffer(), ToDevice);
    t.deepEqual(findings.take(), []);
    observer.finish();
    const [leaked] = findings.take();
    t.is(leaked?.rule, 'dma-debug');
    t.regex(
      leaked?.access.kind ?? '',
      new RegExp(`^DMA-API: test-master ${master.dev.name}: device`),
    );
    t.is(observer.dmaDebug.log.messages.length, 1);
    observer.finish();
    t.deepEqual(findings.take(), []);
  });
}

for (const timing of ['earliest', 'latest'] as const) {
  test(`${timing}: a buffer that is taken back while the transfer goes on is found under either timing`, t => {
    const { cpu, master, buffer, map, rules } = bench('rpi-b', timing);
    const at = buffer();
    const address = map(at, FromDevice);
    master.startWrite(address, SIZE, 3);
    dmaUnmapSingle(master.dev, address, SIZE, FromDevice);
    cpu.load32(at);
    master.finish();
    const wrong = timing === 'earliest' ? 'cpu-access-in-transfer' : 'device-access-after-unmap';
    t.true(rules().includes(wrong));
  });
}

test('contents of a buffer given to a device that writes a part: undefined on arm, kept on arm64', t => {
  for (const [board, expected] of [
    ['imx6q-sabresd', ['never-written-bytes']],
    ['imx8mm', []],
  ] as const) {
    const { cpu, master, buffer, map, rules } = bench(board);
    const at = buffer();
    const address = map(at, FromDevice);
    master.writePattern(address, 64, 3);
    dmaUnmapSingle(master.dev, address, SIZE, FromDevice);
    cpu.load8(offsetBy(at, 63));
    t.deepEqual(rules(), [], board);
    cpu.load8(offsetBy(at, 64));
    t.deepEqual(rules(), [...expected], board);
  }
});

test('a device that snoops is found at its first access to a buffer that was mapped as if it did not', t => {
  const { machine, master, findings, buffer, map } = bench('juno');
  machine.hardware.strapCoherency(master.dev.name, true);
  dmaSetMask(master.dev, dmaBitMask(64));
  const address = map(buffer(), FromDevice);
  t.deepEqual(findings.take(), []);
  master.writePattern(address, SIZE, 3);
  t.like(findings.take()[0], {
    rule: 'coherent-in-hardware-only',
    device: master.dev.name,
    verdict: null,
    access: { kind: 'device write' },
  });
});

test('two mappings that may not be together, and old translations, become findings of their page and place', t => {
  const watch = new WatchedMemory();
  const machine = { watch, now: () => 1, lineBytes: 32, dropsAtMap: true, areas: DEBUG_AREAS };
  const observation = new Observation({ ...machine, snoops: () => null });
  const seen = { event: 5, cpu: 0, access: 'store', address: 0x8000_1234 } as const;
  observation.mismatch({ ...seen, kind: 'type', mappings: ['normal', 'device'] });
  observation.mismatch({ ...seen, kind: 'cacheability', mappings: ['cached', 'uncached'] });
  const stale = { event: 6, cpu: 0, access: 'load', virtualAddress: 0xf000_0000 } as const;
  observation.staleTranslation({ ...stale, older: 0x8000_2000, newer: 0x8000_3000 });
  observation.staleTranslation({ ...stale, older: 0x8000_2000, newer: null });
  const page = { start: 0x8000_1000, size: 4096 };
  const old = { start: 0x8000_2000, size: 1 };
  t.deepEqual(
    observation.findings
      .take()
      .map(({ rule, bytes, event, access: { kind } }) => [rule, bytes, event, kind]),
    [
      ['memory-type-mismatch', page, 5, 'CPU store of a page mapped normal and device'],
      ['cacheability-mismatch', page, 5, 'CPU store of a page mapped cached and uncached'],
      ['stale-translation', old, 6, 'CPU load at 0xf0000000, which now leads to 0x80003000'],
      ['stale-translation', old, 6, 'CPU load at 0xf0000000, which is mapped no more'],
    ],
  );
});

test('a machine whose caches are concrete has nobody who watches', t => {
  const { observer, findings, kernel } = boot('imx6q-sabresd');
  t.deepEqual([observer, findings, kernel.services.observer], [null, null, null]);
});

test('with no observer attached nothing changes but the verdict', t => {
  const run = (isObserved: boolean) => {
    const machine = checked('imx6q-sabresd', 'earliest');
    const { hardware, kernel, findings } = machine;
    const { complex } = hardware;
    if (!(complex instanceof CheckedComplex)) throw new Error('not a checked machine');
    if (!isObserved) {
      complex.observer = null;
      kernel.observe(null);
    }
    const failures: string[] = [];
    for (const one of dmaStreamingSuite.cases) {
      if ((one.unfit?.(machine) ?? null) !== null) continue;
      const context = new CaseContext(machine, new Random(2));
      one.run(context);
      failures.push(...context.failures);
    }
    // Not the trace: what is watched is looked at again by the table walker, too.
    const { events } = hardware;
    return { now: complex.pulse.now, time: events.now, failures, found: findings?.take().length };
  };
  t.deepEqual(run(false), run(true));
});
