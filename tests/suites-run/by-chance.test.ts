import test from 'ava';
import { openBoard, planBoard } from '../../tools/board/open';
import { BUGS } from '../suites/bugs';
import { BugsByChance } from '../suites/bugs/by-chance';

test('by chance, a device that acts on a stale descriptor may go where no model is: that is seen', t => {
  const bug = BUGS.find(({ name }) => name === 'own_is_seen_before_the_rest_of_the_descriptor');
  if (bug === undefined) return t.fail('no such bug');
  // Address 0, which a descriptor holds before it is filled in, is flash memory on this board.
  const plan = planBoard(openBoard('virt', []), { memory: null, quirks: [] });
  const chance = new BugsByChance(plan, [bug], 20);
  while (chance.done < chance.total) chance.step();
  t.true(chance.foundOf(bug) > 0);
});
