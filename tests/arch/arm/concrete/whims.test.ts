import test from 'ava';
import { parseScript } from '../../../../arch/arm/adversary/script';
import { ScriptAdversary } from '../../../../arch/arm/adversary/scripted';
import { at } from '../../../../drivers/base/types/arrays';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { ArmMachine } from '../machine';

const scripted = (core: string, line: number): ArmMachine => {
  // Two events after those that it takes to set the machine up.
  const event = new ArmMachine({ core }).complex.pulse.now + 2;
  const text = `{"event":${event},"step":"fill-inner","line":"0x${line.toString(16)}"}`;
  const adversary = new ScriptAdversary(parseScript(text, 'script'));
  const machine = new ArmMachine({ core, adversary });
  return machine;
};

test('a core may fetch a line that nobody touched, if a live translation reaches it', t => {
  const line = new ArmMachine({ core: 'cortex-a9' }).pageAt(0);
  const machine = scripted('cortex-a9', line + 64);
  const page = machine.page(0, 'cached');
  machine.cpu.load32(page + 1024);
  machine.cpu.load32(page + 1024);
  const [cache] = machine.complex.domain.caches;
  t.true((cache?.findPhysical(machine.ram.wordOf(line + 64)) ?? -1) >= 0);
});

test('of a page that was reached in no way, a translation in the TLB is enough', t => {
  const line = new ArmMachine({ core: 'cortex-a9' }).pageAt(1);
  const machine = scripted('cortex-a9', line);
  machine.page(0, 'cached');
  const section = 0x4010_0000;
  // A section over the pages, of which one is touched and another fetched.
  machine.setMemoryWord(0x8000_0000 + (section >>> 20) * 4, 0x8010_0000 | 0x1c0e);
  machine.cpu.load32(section);
  machine.cpu.load32(section);
  const [cache] = machine.complex.domain.caches;
  t.true((cache?.findPhysical(machine.ram.wordOf(line)) ?? -1) >= 0);
});

test('a core that does not speculate fetches nothing unasked', t => {
  const line = new ArmMachine({ core: 'arm926ej-s' }).pageAt(0);
  const machine = scripted('arm926ej-s', line + 64);
  const page = machine.page(0, 'cached');
  machine.cpu.load32(page + 1024);
  const error = t.throws(() => machine.cpu.load32(page + 1024));
  t.regex(error.message, /a step that the machine permits there/);
});

/** CPU 0 stores, and its caches are walked by set and way; before that a step is taken on the line. */
const walked = (core: string, cpus: number, step: object): { machine: ArmMachine; va: number } => {
  const fresh = new ArmMachine({ core, cpus });
  // After a load by each CPU and the store.
  const event = fresh.complex.pulse.now + cpus + 2;
  const line = `0x${fresh.pageAt(0).toString(16)}`;
  const adversary = new ScriptAdversary(
    parseScript(JSON.stringify({ event, line, ...step }), 'script'),
  );
  const machine = new ArmMachine({ core, cpus, adversary, versions: true });
  const va = machine.page(0, 'cached');
  // Every CPU has a translation.
  for (const cpu of machine.cpus) cpu.load32(va + 1024);
  machine.cpu.store32(va, 7);
  const { lines, cluster } = at(machine.complex.domain.caches, 0);
  for (const [level, cache] of [lines, cluster.l2].entries()) {
    if (cache === null) continue;
    const { size, ways, line: bytes } = cache.geometry;
    for (let set = 0; set < size / ways / bytes; set++) {
      for (let way = 0; way < ways; way++) {
        const operand = way * 2 ** (32 - Math.log2(ways)) + set * bytes + 2 * level;
        machine.cpu.cacheOp(CacheOp.CISW, operand);
      }
    }
  }
  machine.cpu.dsb();
  return { machine, va };
};

/** The CPUs whose first level has the line. */
const holders = (machine: ArmMachine): readonly number[] => {
  const word = machine.ram.wordOf(machine.pageAt(0));
  const has = machine.complex.domain.caches.filter(cache => cache.findPhysical(word) >= 0);
  return has.map(({ core }) => core);
};

const moves = (cpu: number): object => ({ step: 'migrate-inner', cpu, optional: true });

test('a dirty line that moves to another core is not reached by a walk of this one', t => {
  const { machine, va } = walked('cortex-a9', 2, moves(1));
  t.deepEqual(holders(machine), [1]);
  t.is(machine.memoryWord(machine.pageAt(0)), 0);
  t.false(machine.complex.versions?.isLost(machine.pageAt(0)), 'the other core has the latest');
  t.is(machine.cpu.load32(va), 7, 'and gives it back');
  t.deepEqual(machine.complex.versions?.stale, []);
});

test('a line moves neither to a core that has it nor to one of another cluster', t => {
  t.deepEqual(holders(walked('cortex-a9', 2, moves(0)).machine), []);
  t.deepEqual(holders(walked('cortex-a53', 3, moves(2)).machine), []);
});

test('a walk misses a line of any level if it is said to pass by, and where nothing holds it, not', t => {
  const passes = { step: 'pass-by', n: 1 << 16, optional: true };
  // With no second level, with one that takes back what is in the first, with no other core.
  for (const [core, cpus, missed] of [
    ['cortex-a9', 2, true],
    ['cortex-a15', 2, true],
    ['cortex-a15', 1, true],
    ['cortex-m7', 1, false],
  ] as const) {
    const found = ({ machine, va }: ReturnType<typeof walked>): readonly [number, number] => [
      machine.memoryWord(machine.pageAt(0)),
      machine.cpu.load32(va),
    ];
    t.deepEqual(found(walked(core, cpus, passes)), [missed ? 0 : 7, 7], core);
    const late = { ...passes, event: 1, n: 1 };
    t.deepEqual(found(walked(core, cpus, late)), [7, 7], 'at another time');
    t.deepEqual(found(walked(core, cpus, { ...passes, line: '0x80000000' })), [7, 7]);
  }
});
