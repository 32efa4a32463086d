import test from 'ava';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { BareKernel } from './kernel';

for (const [core, image] of [
  ['cortex-a15', 'arm'],
  ['cortex-a7', 'arm'],
  ['cortex-a53', 'arm64'],
  ['cortex-a72', 'arm64'],
] as const) {
  test(`${core}: what the first CPU has in the second level survives the start of the next`, t => {
    const kernel = new BareKernel({ core, cpus: 2 }, image, true);
    const { machine, mm } = kernel;
    const [, second] = machine.cpus;
    if (second === undefined) return t.fail();
    // More than the first level holds, less than the second.
    const pages = Array.from({ length: 32 }, (_, n) => ({ ...kernel.page(n), n }));
    mm.startSecondary(second);
    const lost = (): number[] =>
      pages
        .filter(({ address, n }) =>
          Array.from({ length: 1024 }, (_, word) => mm.cpu.load32(address + 4 * word)).some(
            found => found !== n,
          ),
        )
        .map(({ n }) => n);
    t.deepEqual(lost(), []);
    t.deepEqual(mm.cpu.on(1, lost), []);
  });
}

test('a core of ARMv7 drops its own first level when it comes up, line by line, and no other', t => {
  const { machine, mm } = new BareKernel({ core: 'cortex-a15', cpus: 2 }, 'arm', true);
  const [, second] = machine.cpus;
  if (second === undefined) return t.fail();
  const levels = new Map<number, number>();
  const cacheOp = second.cacheOp.bind(second);
  second.cacheOp = (op, operand) => {
    if (op === CacheOp.ISW)
      levels.set((operand >>> 1) & 7, (levels.get((operand >>> 1) & 7) ?? 0) + 1);
    cacheOp(op, operand);
  };
  mm.startSecondary(second);
  t.deepEqual([...levels], [[0, 512]]);
});
