import test from 'ava';
import { ScriptAdversary, parseScript } from '../../../../arch/arm/adversary/script';
import type { Script } from '../../../../arch/arm/adversary/script';
import { InputError } from '../../../../drivers/base/types/errors';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { ArmMachine } from '../machine';

interface Step {
  /** Counted from the first that the test itself causes. */
  readonly event: number;
  readonly step: string;
  readonly line?: string;
}

/** Events that pass while a machine is made. */
const BEFORE = new ArmMachine({ core: 'cortex-a9' }).complex.pulse.now;

const scriptOf = (steps: readonly Step[]): Script => {
  const lines = steps.map(step => JSON.stringify({ ...step, event: BEFORE + step.event }));
  return parseScript(lines.join('\n'), 'steps');
};

/** A machine that follows these steps: RAM is at 0x80000000, none is at 0. */
const follow = (...steps: readonly Step[]): { machine: ArmMachine; script: Script } => {
  const script = scriptOf(steps);
  const adversary = new ScriptAdversary(script);
  return { machine: new ArmMachine({ core: 'cortex-a9', adversary }), script };
};

const refuses = (step: object): string => {
  try {
    parseScript(JSON.stringify(step), 'steps');
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'nothing is wrong';
};

test('a store that is held drains at a step that names no line', t => {
  const { machine, script } = follow({ event: 1, step: 'hold' }, { event: 2, step: 'drain-store' });
  const { cpu } = machine;
  const va = machine.page(0, 'non-cached');
  cpu.store32(va, 7);
  t.is(cpu.memory.stores.count, 1);
  t.is(machine.memoryWord(machine.pageAt(0)), 0);
  cpu.load32(va + 64);
  t.is(cpu.memory.stores.count, 0);
  t.is(machine.memoryWord(machine.pageAt(0)), 7);
  t.notThrows(() => {
    script.checkTaken();
  });
});

test('maintenance completes and a translation is dropped without a line', t => {
  const { machine, script } = follow(
    { event: 2, step: 'hold' },
    { event: 3, step: 'complete-maintenance' },
    { event: 4, step: 'drop-tlb' },
  );
  const { cpu } = machine;
  const va = machine.page(0, 'cached');
  cpu.store32(va, 7);
  cpu.cacheOp(CacheOp.CVAC, va);
  t.is(machine.memoryWord(machine.pageAt(0)), 0);
  cpu.load32(va);
  t.is(machine.memoryWord(machine.pageAt(0)), 7);
  cpu.load32(va);
  t.notThrows(() => {
    script.checkTaken();
  });
});

test('a step at an event that never comes is told with its place', t => {
  const { machine, script } = follow(
    { event: 1, step: 'hold' },
    { event: 999, step: 'evict-inner', line: '0x80100000' },
    { event: 1000, step: 'drop-tlb' },
  );
  machine.cpu.store32(machine.page(0, 'non-cached'), 1);
  const error = t.throws(
    () => {
      script.checkTaken();
    },
    { instanceOf: InputError },
  );
  t.is(
    error.message,
    "steps:2: property 'event': expected an event to take the step at, on some machine of the " +
      `run, found ${BEFORE + 999}, at which no machine had it, and 1 more was not taken`,
  );
});

test('a hold of an event that holds nothing is told with its place', t => {
  const { machine, script } = follow({ event: 1, step: 'hold' });
  machine.cpu.load32(machine.page(0, 'non-cached'));
  const error = t.throws(
    () => {
      script.checkTaken();
    },
    { instanceOf: InputError },
  );
  t.regex(error.message, /^steps:1: property 'event': expected an event with a store or maint/);
});

test('a step that one of several machines takes counts as taken', t => {
  const script = scriptOf([{ event: 2, step: 'hold' }]);
  for (const stores of [1, 2]) {
    const adversary = new ScriptAdversary(script);
    const machine = new ArmMachine({ core: 'cortex-a9', adversary });
    const va = machine.page(0, 'non-cached');
    for (let i = 0; i < stores; i++) machine.cpu.store32(va, i);
    const check = (): void => {
      script.checkTaken();
    };
    if (stores === 1) t.throws(check);
    else t.notThrows(check);
  }
});

test('what a step does not have is refused, and so is a step on a line without the line', t => {
  t.is(
    refuses({ event: 3, step: 'hold', typo: 1 }),
    "steps:1: property 'typo': expected one of event, step, line, cpu, n, found 1",
  );
  t.is(
    refuses({ event: 3, step: 'evict-inner' }),
    'steps:1: property \'line\': expected an address such as "0x80001000", found nothing',
  );
  t.regex(refuses({ event: 3, step: 'hold', line: '' }), /^steps:1: property 'line': /);
  t.is(refuses({ event: 3, step: 'hold', line: '0x80001000' }), 'nothing is wrong');
});
