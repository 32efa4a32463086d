import test from 'ava';
import { BenchError, InputError, UnmodelledError } from '../../drivers/base/types/errors';
import { OutputError, RunStopped, UsageError, explain } from '../../tools/exit';

const INPUT = new InputError({ place: 'a.dts:1:2', expected: 'x\u001b[2J', found: 'y' });

test('wrong input is told in one line, with nothing that steers a terminal', t => {
  t.deepEqual(explain(INPUT, false), {
    status: 2,
    text: 'dmabench: a.dts:1:2: expected x\\x1b[2J, found y\n',
  });
});

test('what is not modelled is told like wrong input', t => {
  t.deepEqual(explain(new UnmodelledError('CTRL.CHAIN', 'a chain was started'), false), {
    status: 2,
    text: 'dmabench: not modelled: CTRL.CHAIN: a chain was started\n',
  });
});

test('wrong use is told with where help is', t => {
  t.deepEqual(explain(new UsageError('run', 'which board?'), false), {
    status: 2,
    text: "dmabench: which board?\n'dmabench run --help' says more.\n",
  });
  t.regex(explain(new UsageError('', 'which command?'), false).text, /'dmabench --help'/);
});

test('output that cannot be written is no defect', t => {
  const { status, text } = explain(new OutputError(new Error('ENOSPC: no space left')), false);
  t.is(status, 2);
  t.is(text, 'dmabench: cannot write the output: ENOSPC: no space left\n');
});

test('anything else is a defect, without its stack unless that is asked for', t => {
  const error = new BenchError('line 3 has two states');
  t.deepEqual(explain(error, false), {
    status: 3,
    text:
      'dmabench: a defect of dmabench: BenchError: line 3 has two states ' +
      '(DMABENCH_DEBUG=1 shows the stack)\n',
  });
  const { text } = explain(error, true);
  t.true(text.includes(error.stack ?? 'no stack'));
});

test('what is thrown need not be an Error', t => {
  t.regex(explain('a string', false).text, /^dmabench: a defect of dmabench: Error: a string /);
  t.is(explain(undefined, false).status, 3);
});

test('in a run, the case and how to come there again are told', t => {
  const repeat = 'dmabench run virt --seed 1';
  t.deepEqual(explain(new RunStopped('mmu.maps', repeat, INPUT), false), {
    status: 2,
    text: 'dmabench: mmu.maps: a.dts:1:2: expected x\\x1b[2J, found y\n',
  });
  t.deepEqual(explain(new RunStopped('mmu.maps', repeat, new BenchError('broken')), false), {
    status: 3,
    text:
      'dmabench: a defect of dmabench: mmu.maps: BenchError: broken; to repeat it: ' +
      `${repeat} (DMABENCH_DEBUG=1 shows the stack)\n`,
  });
});
