import { spawnSync } from 'node:child_process';
import test from 'ava';
import fc from 'fast-check';
import { repeatLine } from '../../../tools/run/repeat';

const ARGS = {
  board: 'virt',
  memory: undefined,
  quirk: undefined,
  overlay: undefined,
  load: undefined,
  suite: undefined,
  adversary: 'random',
  seed: '1',
  'dma-timing': 'both',
  format: 'json',
  drop: undefined,
  save: undefined,
} as const;

test('the seed and the adversary are in the line although they were not given', t => {
  t.is(repeatLine(ARGS), 'dmabench run virt --adversary random --seed 1');
});

test('everything that decides the outcome is in the line', t => {
  const line = repeatLine({
    ...ARGS,
    memory: '1G',
    quirk: ['-mvebu-hwcc', '+keystone-offset'],
    overlay: ['a.dtbo', 'b.dts'],
    load: ['own.ts'],
    coherent: 'carveout',
    bounce: 'dmabounce',
    cmdline: 'swiotlb=force cma=16M',
    suite: ['cache', 'mmu.*'],
    'dma-timing': 'latest',
    'dma-debug': ['off', 'driver=x'],
    drop: ['mm/a.ts:1', 'mm/b.ts:2'],
  });
  t.is(
    line,
    'dmabench run virt --overlay a.dtbo --overlay b.dts --quirk=-mvebu-hwcc ' +
      '--quirk=+keystone-offset --memory 1G --load own.ts --coherent carveout --bounce dmabounce ' +
      "--cmdline 'swiotlb=force cma=16M' --suite cache --suite 'mmu.*' --adversary random --seed 1 --dma-timing latest " +
      '--dma-debug off --dma-debug driver=x --drop mm/a.ts:1 --drop mm/b.ts:2',
  );
});

test('a shell reads the words of the line as they were given', t => {
  const word = fc.string({ minLength: 1, maxLength: 12 }).filter(text => !text.includes('\0'));
  fc.assert(
    fc.property(word, word, (board, suite) => {
      const line = repeatLine({ ...ARGS, board, suite: [suite] });
      const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
      const [, , first, , second] = stdout.split('\0');
      return first === board && second === suite;
    }),
    { numRuns: 50 },
  );
  t.pass();
});
