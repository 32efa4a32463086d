import test from 'ava';
import { IrqInputs, IrqLine } from '../../../../drivers/base/hw/irq';
import { BenchError, InputError } from '../../../../drivers/base/types/errors';

test('a line tells every sink, at once and only of changes', t => {
  const line = new IrqLine('uart');
  t.is(line.name, 'uart');
  const log: string[] = [];
  line.connect(level => log.push(`a:${level}`));
  line.connect(level => log.push(`b:${level}`));
  line.set(false);
  line.set(true);
  line.set(true);
  line.set(false);
  t.deepEqual(log, ['a:true', 'b:true', 'a:false', 'b:false']);
});

test('a sink connected to a raised line is told of it', t => {
  const line = new IrqLine('uart');
  line.set(true);
  const seen: boolean[] = [];
  line.connect(level => seen.push(level));
  t.deepEqual(seen, [true]);
});

test('restoring a line tells nobody', t => {
  const line = new IrqLine('uart');
  line.connect(() => {
    t.fail('the sink restores its own end');
  });
  line.restore(true);
  t.true(line.level);
});

test('inputs keep a bitmap, up to date before the controller hears of the change', t => {
  const heard: [number, boolean, number][] = [];
  const inputs = new IrqInputs('gic', 40, (input, level) => {
    heard.push([input, level, inputs.levels[1] ?? 0]);
  });
  const line = new IrqLine('dma');
  inputs.connect(line, 39);
  line.set(true);
  inputs.set(39, true);
  line.set(false);
  t.deepEqual(heard, [
    [39, true, 1 << 7],
    [39, false, 0],
  ]);
  inputs.set(31, true);
  t.is(inputs.levels[0], 0x8000_0000);
  t.true(inputs.level(31));
  t.false(inputs.level(30));
});

test('an input that does not exist is a defect of whoever wired it', t => {
  const inputs = new IrqInputs('gic', 40, () => undefined);
  for (const wrong of [40, -1, 1.5]) {
    t.throws(
      () => {
        inputs.set(wrong, true);
      },
      { instanceOf: BenchError, message: /no input/ },
    );
  }
});

test('inputs come back from a snapshot without being heard, and refuse a foreign one', t => {
  const inputs = new IrqInputs('gic', 64, () => undefined);
  inputs.set(3, true);
  inputs.set(63, true);
  const state = inputs.saveState();
  inputs.set(3, false);
  const copy = new IrqInputs('gic', 64, () => {
    t.fail('restoring is not a change of level');
  });
  copy.restoreState(state);
  t.true(copy.level(3) && copy.level(63));
  const smaller = new IrqInputs('gic', 32, () => undefined);
  t.throws(
    () => {
      smaller.restoreState(state);
    },
    { instanceOf: InputError, message: /expected 1 words, found 2/ },
  );
});

test('an input that several lines share is asserted while one of them is', t => {
  const inputs = new IrqInputs('gic', 4, () => undefined);
  const [one, other] = [new IrqLine('one'), new IrqLine('other')];
  inputs.connect(one, 2);
  inputs.connect(other, 2);
  one.set(true);
  other.set(true);
  other.set(false);
  t.true(inputs.level(2));
  one.set(false);
  t.false(inputs.level(2));
});
