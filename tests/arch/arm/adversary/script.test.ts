import test from 'ava';
import { parseScript } from '../../../../arch/arm/adversary/script';
import { ScriptAdversary } from '../../../../arch/arm/adversary/scripted';
import type { Script } from '../../../../arch/arm/adversary/script';
import { InputError } from '../../../../drivers/base/types/errors';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { ArmMachine } from '../machine';

interface Step {
  /** Counted from the first that the test itself causes. */
  readonly event: number;
  readonly step: string;
  readonly line?: string;
  readonly iommu?: string;
  readonly n?: number;
  readonly optional?: boolean;
}

/** Events that pass while a machine is made. */
const eventsBefore = (core: string): number => new ArmMachine({ core }).complex.pulse.now;
const BEFORE = eventsBefore('cortex-a9');

const scriptOf = (steps: readonly Step[], before = BEFORE): Script => {
  const lines = steps.map(step => JSON.stringify({ ...step, event: before + step.event }));
  return parseScript(lines.join('\n'), 'steps');
};

/** A machine that follows these steps: RAM is at 0x80000000, none is at 0. */
const follow = (...steps: readonly Step[]): { machine: ArmMachine; script: Script } =>
  followOn({ core: 'cortex-a9' }, ...steps);

const followSteps = (
  steps: readonly Step[],
): { machine: ArmMachine; script: Script; adversary: ScriptAdversary } => {
  const script = scriptOf(steps);
  const adversary = new ScriptAdversary(script);
  return { machine: new ArmMachine({ core: 'cortex-a9', adversary }), script, adversary };
};

const followOn = (
  options: { readonly core: string; readonly outer?: boolean },
  ...steps: readonly Step[]
): { machine: ArmMachine; script: Script } => {
  const script = scriptOf(steps, eventsBefore(options.core));
  const adversary = new ScriptAdversary(script);
  return { machine: new ArmMachine({ ...options, adversary }), script };
};

/** The first page that tests use, and the next line of it, long as it may be. */
const LINE = '0x80100000';
const NEXT = '0x80100040';

const refuses = (step: object): string => {
  try {
    parseScript(JSON.stringify(step), 'steps');
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'nothing is wrong';
};

test('steps of IOMMUs are asked of them, and answered at their event alone', t => {
  const lines = [
    { event: 1, step: 'use-kept', iommu: 'mmu@1', line: LINE },
    { event: 2, step: 'use-kept', iommu: 'mmu@1' },
    { event: 3, step: 'walk-kept', iommu: 'mmu@2', line: NEXT },
  ];
  const { script, machine, adversary } = followSteps(lines);
  const walks: [string, number][] = [];
  adversary.forIommus((iommu, table) => walks.push([iommu, table]) > 0);
  const { cpu } = machine;
  cpu.load32(machine.page(0, 'cached'));
  t.false(adversary.usesKept('mmu@2', Number(LINE)), 'another IOMMU');
  t.false(adversary.usesKept('mmu@1', null), 'what leads elsewhere');
  t.true(adversary.usesKept('mmu@1', Number(LINE)));
  cpu.load32(machine.page(1, 'cached'));
  t.false(adversary.usesKept('mmu@1', Number(LINE)), 'another event');
  t.true(adversary.usesKept('mmu@1', null));
  cpu.load32(machine.page(2, 'cached'));
  t.deepEqual(walks, [['mmu@2', Number(NEXT)]]);
  t.notThrows(() => {
    script.checkTaken();
  });
});

test('an IOMMU is named where it takes a step, and nowhere else', t => {
  t.regex(refuses({ event: 1, step: 'use-kept' }), /'iommu': expected the name of an IOMMU/);
  t.regex(refuses({ event: 1, step: 'walk-kept', line: LINE }), /the name of an IOMMU/);
  t.regex(refuses({ event: 1, step: 'fill-inner', line: LINE, iommu: 'mmu@1' }), /a step of a CPU/);
});

test('a step that no IOMMU can take is refused', t => {
  const { machine } = follow({ event: 1, step: 'walk-kept', iommu: 'mmu@1', line: LINE });
  const error = t.throws(() => machine.cpu.load32(machine.page(0, 'cached')), {
    instanceOf: InputError,
  });
  t.regex(error.message, /walk-kept at event/);
});

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
    "steps:1: property 'typo': expected one of event, step, line, cpu, iommu, n, optional, found 1",
  );
  t.is(
    refuses({ event: 3, step: 'evict-inner' }),
    'steps:1: property \'line\': expected an address such as "0x80001000", found nothing',
  );
  t.regex(refuses({ event: 3, step: 'hold', line: '' }), /^steps:1: property 'line': /);
  t.is(refuses({ event: 3, step: 'hold', line: '0x80001000' }), 'nothing is wrong');
});

test('stores and maintenance of one line complete, what waits of another waits on', t => {
  const { machine } = follow(
    { event: 1, step: 'hold' },
    { event: 2, step: 'hold' },
    { event: 3, step: 'drain-store', line: NEXT },
  );
  const { cpu } = machine;
  const va = machine.page(0, 'non-cached');
  cpu.store32(va, 7);
  cpu.store32(va + 64, 8);
  cpu.load32(va + 128);
  t.is(cpu.memory.stores.count, 1);
  t.is(machine.memoryWord(machine.pageAt(0)), 0);
  t.is(machine.memoryWord(machine.pageAt(0) + 64), 8);
});

test('of pending maintenance that of the named line completes', t => {
  const { machine } = followOn(
    { core: 'cortex-a9', outer: true },
    { event: 3, step: 'hold' },
    { event: 4, step: 'hold' },
    { event: 5, step: 'complete-maintenance', line: NEXT },
  );
  const { cpu } = machine;
  const va = machine.page(0, 'cached');
  cpu.store32(va, 7);
  cpu.store32(va + 64, 8);
  cpu.cacheOp(CacheOp.CVAC, va);
  cpu.cacheOp(CacheOp.CVAC, va + 64);
  cpu.load32(va + 128);
  const { outer } = machine.complex;
  const isOutside = (at: number): boolean => {
    const word = machine.ram.wordOf(machine.pageAt(0) + at);
    const slot = outer?.find(word) ?? -1;
    return slot >= 0 && outer?.lines.word(slot, word) !== 0;
  };
  t.false(isOutside(0));
  t.true(isOutside(64));
});

test('a hold that names a line holds the store to that line only', t => {
  const { machine, script } = follow(
    { event: 1, step: 'hold', line: LINE },
    { event: 2, step: 'hold', line: LINE },
  );
  const { cpu } = machine;
  const va = machine.page(0, 'non-cached');
  cpu.store32(va + 64, 8);
  t.is(cpu.memory.stores.count, 0);
  cpu.store32(va + 4, 7);
  t.is(cpu.memory.stores.count, 1);
  t.throws(
    () => {
      script.checkTaken();
    },
    { message: /^steps:1: property 'event'/ },
    'the first held nothing',
  );
});

test('stores of a later epoch wait behind one that is held, and go when it goes', t => {
  const { machine } = follow(
    { event: 1, step: 'hold' },
    { event: 5, step: 'drain-store', line: LINE },
  );
  const { cpu } = machine;
  const va = machine.page(0, 'non-cached');
  cpu.store32(va, 7);
  cpu.store32(va + 128, 6);
  t.is(machine.memoryWord(machine.pageAt(0) + 128), 6, 'of the same epoch: it passes');
  cpu.dmb('sy');
  cpu.store32(va + 64, 8);
  t.is(cpu.memory.stores.count, 2);
  t.is(cpu.load32(va + 64), 8);
  t.is(cpu.memory.stores.count, 0);
  t.is(machine.memoryWord(machine.pageAt(0)), 7);
  t.is(machine.memoryWord(machine.pageAt(0) + 64), 8);
});

test('what leaves the outer cache for one line waits until it drains, and the rest does not', t => {
  const { machine, script } = followOn(
    { core: 'cortex-a9', outer: true },
    { event: 1, step: 'hold-outer', line: LINE },
    { event: 3, step: 'drain-outer', line: LINE },
  );
  const { cpu } = machine;
  const va = machine.page(0, 'non-cached');
  const at = machine.pageAt(0);
  cpu.store32(va, 7);
  cpu.store32(va + 64, 8);
  t.deepEqual([machine.memoryWord(at), machine.memoryWord(at + 64)], [0, 8]);
  cpu.load32(va + 128);
  t.is(machine.memoryWord(at), 7);
  cpu.store32(va, 9);
  t.is(machine.memoryWord(at), 9, 'the next one goes at once');
  t.notThrows(() => {
    script.checkTaken();
  });
});

test('an invalidate writes back first what the script says, on a core that may', t => {
  for (const said of [false, true]) {
    const first = { event: 1, step: 'write-back-first', line: said ? LINE : NEXT };
    const { machine, script } = followOn({ core: 'cortex-a53' }, first);
    const { cpu } = machine;
    const va = machine.page(0, 'cached');
    cpu.store32(va, 7);
    cpu.cacheOp(CacheOp.IVAC, va);
    cpu.dsb();
    t.is(machine.memoryWord(machine.pageAt(0)), said ? 7 : 0);
    const check = (): void => {
      script.checkTaken();
    };
    if (said) t.notThrows(check);
    else t.throws(check, { message: /or a later one, with dirty bytes of the line/ });
  }
});

test('a snapshot keeps at which event an invalidate was told to write back', t => {
  const { machine } = followOn(
    { core: 'cortex-a53' },
    { event: 1, step: 'write-back-first', line: LINE },
  );
  const { cpu, complex } = machine;
  const va = machine.page(0, 'cached');
  const invalidated = (value: number): number => {
    cpu.store32(va, value);
    cpu.cacheOp(CacheOp.IVAC, va);
    cpu.dsb();
    return machine.memoryWord(machine.pageAt(0));
  };
  const before = complex.saveState();
  t.is(invalidated(7), 7);
  const after = complex.saveState();
  complex.restoreState(before);
  // The same at another event.
  cpu.load32(va);
  t.is(invalidated(8), 8, 'it is yet to come');
  complex.restoreState(after);
  t.is(invalidated(9), 8, 'it has been');
  complex.restoreState(before);
  complex.restoreState(after);
  t.is(invalidated(10), 8);
});

test('a step that is optional may be refused, another may not', t => {
  for (const optional of [true, false]) {
    const { machine, script } = follow({ event: 1, step: 'evict-inner', line: LINE, optional });
    const load = (): void => {
      machine.cpu.load32(machine.page(0, 'cached'));
    };
    if (!optional) {
      t.throws(load, { message: /^steps:1: expected a step that the machine permits there/ });
      continue;
    }
    t.notThrows(load);
    t.notThrows(() => {
      script.checkTaken();
    });
  }
  t.regex(refuses({ event: 3, step: 'hold', optional: 1 }), /'optional': expected true or false/);
});

test('a word that was never accessed is read early through a translation that is there', t => {
  const { machine } = follow({ event: 2, step: 'read-early', line: LINE });
  const { cpu } = machine;
  const va = machine.page(0, 'non-cached');
  cpu.load32(va + 4);
  cpu.load32(va + 8);
  machine.setMemoryWord(machine.pageAt(0), 7);
  t.is(cpu.load32(va), 0, 'as it was when it was read');
  t.is(cpu.load32(va), 7);
});

test('of the aliases in a virtual cache the n-th leaves, in the order of their first use', t => {
  for (const n of [0, 1]) {
    const { machine } = followOn(
      { core: 'arm926ej-s' },
      { event: 3, step: 'evict-inner', line: LINE, n },
    );
    const { cpu } = machine;
    const one = machine.page(0, 'cached');
    const other = one + 0x5_0000;
    machine.tables.map(other, machine.pageAt(0), 'cached');
    cpu.load32(one);
    cpu.load32(other);
    machine.setMemoryWord(machine.pageAt(0), 7);
    t.is(cpu.load32(one), n === 0 ? 7 : 0);
    t.is(cpu.load32(other), n === 1 ? 7 : 0);
  }
});

test('a question is asked before its event and after the steps that the script has there', t => {
  const script = scriptOf([
    { event: 1, step: 'hold' },
    { event: 2, step: 'drain-store', line: LINE },
  ]);
  const adversary = new ScriptAdversary(script);
  const seen: number[] = [];
  const ask = (): void => {
    seen.push(machine.memoryWord(machine.pageAt(0)));
  };
  adversary.before(BEFORE + 3, ask);
  adversary.before(BEFORE + 2, ask);
  const machine = new ArmMachine({ core: 'cortex-a9', adversary });
  const va = machine.page(0, 'non-cached');
  machine.cpu.store32(va, 7);
  t.deepEqual(seen, []);
  machine.cpu.store32(va, 8);
  t.deepEqual(seen, [7]);
  machine.cpu.load32(va);
  t.deepEqual(seen, [7, 8]);
});
