import test from 'ava';
import { RandomAdversary } from '../../arch/arm/adversary/random';
import { CpuComplex } from '../../arch/arm/complex';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { Random } from '../../drivers/base/types/random';
import { bootMachine } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import { planOf } from '../support/booted';

const bootOn = (board: string, versions: boolean): Machine =>
  bootMachine(planOf(board), {
    adversary: new RandomAdversary(new Random(7)),
    random: new Random(7),
    timing: 'latest',
    streaming: ALL_STEPS,
    versions,
  });

for (const board of ['imx6q-sabresd', 'juno', 'versatile-pb', 'rpi-b']) {
  test(`${board}: a kernel boots in check mode as it does without, and reads nothing stale`, t => {
    const [on, off] = [true, false].map(versions => bootOn(board, versions).hardware);
    t.is(on?.trace.hash, off?.trace.hash);
    const complex = on?.complex;
    if (!(complex instanceof CpuComplex)) {
      t.fail('the machine is not concrete');
      return;
    }
    t.true(complex.pulse.now === off?.complex.pulse.now);
    t.deepEqual(complex.versions?.stale, []);
  });
}
