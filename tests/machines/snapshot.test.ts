import test from 'ava';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { RandomAdversary } from '../../arch/arm/adversary/random';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { dmaAddr, ticks } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { BenchError, InputError } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import type { StateValue } from '../../drivers/base/types/state';
import { bootMachine } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { GFP_DMA32 } from '../../drivers/base/kernel/gfp';
import { pageToPhys } from '../../mm/page-alloc';
import { openBoard, planBoard } from '../../tools/board/open';
import { SUITES } from '../suites';
import { CaseContext, SkipCase } from '../suites/suite';

const boot = (
  board: string,
  kind: 'random' | 'lru' = 'random',
  memory: number | null = null,
): Machine => {
  const random = new Random(5);
  return bootMachine(planBoard(openBoard(board, []), { memory, quirks: [] }), {
    adversary: kind === 'lru' ? new LruAdversary() : new RandomAdversary(random.fork('adversary')),
    random,
    timing: 'latest',
    streaming: ALL_STEPS,
  });
};

/** Everything that a program can see of a machine, and what happened inside it. */
const outcome = ({ hardware }: Machine, values: readonly number[]): unknown => ({
  values,
  trace: hardware.trace.hash,
  events: hardware.complex.pulse.now,
  time: hardware.events.now,
  whole: hardware.saveState(),
});

/** A program that keeps nothing in the kernel: loads, stores, maintenance, DMA by every master. */
const program = (machine: Machine, buffer: number): number[] => {
  const { cpu } = machine.kernel;
  const values: number[] = [];
  for (const { device } of machine.masters) {
    for (let round = 0; round < 4; round++) {
      const size = 64 << round;
      for (let at = 0; at < 4096; at += 4) cpu.store32(buffer + at, at ^ round);
      const address = dmaMapSingle(device.dev, buffer as CpuAddr, size, DmaDirection.FromDevice);
      if (dmaMappingError(device.dev, address) !== 0) continue;
      values.push(device.writePattern(address, size, round));
      dmaUnmapSingle(device.dev, address, size, DmaDirection.FromDevice);
      for (let at = 0; at < 4096; at += 4) values.push(cpu.load32(buffer + at));
    }
  }
  return values;
};

const bufferOf = ({ kernel: { mm } }: Machine): number => {
  const page = mm.pages.allocPages(GFP_DMA32, 0);
  const address = page === null ? null : mm.layout.physToVirt(pageToPhys(page));
  if (address === null) throw new Error('no page');
  return address;
};

const BOARDS = ['versatile-pb', 'rpi-b', 'imx6q-sabresd', 'stm32mp1', 'virt'];

for (const board of BOARDS) {
  test(`${board}: a machine that is set back does the same again, to the last event`, t => {
    const machine = boot(board);
    const buffer = bufferOf(machine);
    program(machine, buffer);
    const saved = machine.hardware.saveState();
    const first = outcome(machine, program(machine, buffer));
    program(machine, buffer);
    machine.hardware.restoreState(saved);
    t.deepEqual(machine.hardware.saveState(), saved);
    t.deepEqual(outcome(machine, program(machine, buffer)), first);
  });
}

/** All cases of a suite on a machine that is there: what failed. */
const runSuite = (machine: Machine, name: string): string[] =>
  SUITES.filter(suite => suite.name === name).flatMap(({ cases }) =>
    cases.flatMap(one => {
      if ((one.unfit?.(machine) ?? null) !== null) return [];
      const context = new CaseContext(machine, new Random(3).fork(one.name));
      try {
        one.run(context);
      } catch (thrown) {
        if (!(thrown instanceof SkipCase)) throw thrown;
      }
      return context.failures;
    }),
  );

test('a fresh machine of the same plan goes on where the saved one was', t => {
  const original = boot('imx6q-sabresd');
  const saved = original.hardware.saveState();
  t.deepEqual(runSuite(original, 'dma-streaming'), []);
  const fresh = boot('imx6q-sabresd');
  fresh.hardware.restoreState(saved);
  t.deepEqual(runSuite(fresh, 'dma-streaming'), []);
  t.deepEqual(outcome(fresh, []), outcome(original, []));
});

test('what is saved shares nothing with the machine', t => {
  const machine = boot('rpi-b');
  const saved = machine.hardware.saveState();
  const copy = structuredClone(saved);
  program(machine, bufferOf(machine));
  t.deepEqual(saved, copy);
});

const refusal = (machine: Machine, state: StateValue): string =>
  messageOf(() => {
    machine.hardware.restoreState(state);
  });

const messageOf = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'nothing was thrown';
};

test('the state of another machine is refused with its name, and so is what is none', t => {
  const machine = boot('rpi-b');
  const { hardware } = boot('versatile-pb');
  t.regex(
    refusal(machine, hardware.saveState()),
    /^snapshot of a machine: expected that of .*found that of .*arm926/,
  );
  const smaller = boot('rpi-b', 'random', 2 ** 27).hardware.saveState();
  t.regex(refusal(machine, smaller), /found that of .*134217728 bytes of RAM/);
  t.regex(refusal(boot('rpi-b', 'lru'), machine.hardware.saveState()), /snapshot of the adversary/);
  for (const state of [null, 3, {}, []]) t.regex(refusal(machine, state), /^snapshot of a machine/);
});

test('a part of a state that is missing is named', t => {
  const machine = boot('rpi-b');
  const saved = machine.hardware.saveState();
  for (const key of Object.keys(saved ?? {})) {
    const entries = Object.entries(saved ?? {}).filter(([name]) => name !== key);
    t.regex(
      refusal(machine, Object.fromEntries(entries)),
      new RegExp(`a machine\\.${key}\\b`),
      key,
    );
  }
  machine.hardware.restoreState(saved);
  t.deepEqual(machine.hardware.saveState(), saved);
});

test('a transfer that is under way is named, and nothing is saved', t => {
  const machine = boot('rpi-b');
  const [master] = machine.masters;
  master?.device.startWrite(dmaAddr(0), 64, 1);
  const error = t.throws(() => machine.hardware.saveState(), { instanceOf: BenchError });
  t.is(error.message, 'a snapshot while test-master0 transfer is pending');
  machine.hardware.events.advanceTo(ticks(machine.hardware.events.now + 1000));
  t.notThrows(() => machine.hardware.saveState());
});
