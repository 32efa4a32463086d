import test from 'ava';
import { Progress } from '../../tools/progress';
import { TestHost } from '../support/host';

const CLEAR = '\r\u001b[K';

test('nothing is shown in the first second', t => {
  const host = new TestHost(80);
  const progress = new Progress(host);
  host.time = 999;
  progress.show('mmu.maps', 1, 10);
  progress.clear();
  t.is(host.err.text, '');
});

test('after that there is one line, rewritten in place and taken away at the end', t => {
  const host = new TestHost(80);
  const progress = new Progress(host);
  host.time = 1000;
  progress.show('mmu.maps', 1, 10);
  t.is(host.err.text, `${CLEAR} 10%  1/10  mmu.maps`);
  host.time = 1050;
  progress.show('mmu.never_shown', 2, 10);
  host.time = 1100;
  progress.show('mmu.unmaps', 3, 10);
  progress.clear();
  progress.clear();
  t.is(host.err.text, `${CLEAR} 10%  1/10  mmu.maps${CLEAR} 30%  3/10  mmu.unmaps${CLEAR}`);
  t.is(host.out.text, '');
});

test('the line fits the terminal and does not steer it', t => {
  const host = new TestHost(20);
  const progress = new Progress(host);
  host.time = 5000;
  progress.show('a\u001b[2J very long name of something', 1, 1);
  t.is(host.err.text, `${CLEAR}100%  1/1  a\\x1b[2J`.slice(0, CLEAR.length + 19));
});

test('nothing is shown in a pipe', t => {
  const host = new TestHost();
  const progress = new Progress(host);
  host.time = 5000;
  progress.show('mmu.maps', 1, 10);
  progress.clear();
  t.is(host.err.text, '');
});
