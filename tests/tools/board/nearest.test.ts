import test from 'ava';
import { nearest } from '../../../tools/board/nearest';

const NAMES = ['beagle-xm', 'odroid-u3', 'pandaboard', 'rpi-4', 'rpi-b', 'virt'];

test('a mistyped name finds the one that was meant', t => {
  t.deepEqual(nearest('pandabord', NAMES), ['pandaboard']);
  t.deepEqual(nearest('PandaBoard', NAMES), ['pandaboard']);
  t.deepEqual(nearest('odriod-u3', NAMES), ['odroid-u3']);
});

test('a part of a name finds it', t => {
  t.deepEqual(nearest('panda', NAMES), ['pandaboard']);
  t.deepEqual(nearest('beagle', NAMES), ['beagle-xm']);
});

test('of several, the nearest comes first', t => {
  t.deepEqual(nearest('rpi-', NAMES), ['rpi-4', 'rpi-b']);
  t.deepEqual(nearest('rpi-b', NAMES), ['rpi-b', 'rpi-4']);
});

test('what is like nothing finds nothing', t => {
  t.deepEqual(nearest('zzzzzzzz', NAMES), []);
  t.deepEqual(nearest('', NAMES), []);
  t.deepEqual(nearest('x'.repeat(1_000_000), NAMES), []);
});
