import test from 'ava';
import { LruAdversary } from '../../../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../../../arch/arm/mm/dma';
import { Random } from '../../../../drivers/base/types/random';
import { bootMachine } from '../../../../machines/boot';
import type { BootOptions } from '../../../../machines/boot';
import { runCase } from '../../../../tools/run/case';
import { cacheSuite } from '../../../suites/cache';
import { dmaStreamingSuite } from '../../../suites/dma-streaming';
import { memorySuite } from '../../../suites/memory';
import { mmuSuite } from '../../../suites/mmu';
import type { Suite } from '../../../suites/suite';
import { planOf } from '../../../support/booted';

const SUITES: readonly Suite[] = [memorySuite, cacheSuite, mmuSuite, dmaStreamingSuite];

/** Short and long tables, with an outer cache and without one. */
const BOARDS = ['rpi-b', 'imx6q-sabresd', 'virt'];

/** The number of the event after the boot and after each case, with how it ended. */
const eventsOf = (board: string, adversary: BootOptions['adversary']): readonly string[] => {
  const random = new Random(1);
  const options = { adversary, random, timing: 'latest', streaming: ALL_STEPS } as const;
  const machine = bootMachine(planOf(board), options);
  const { pulse } = machine.hardware.complex;
  return [
    `boot: ${pulse.now}`,
    ...SUITES.flatMap(suite =>
      suite.cases.map(one => {
        const { outcome } = runCase(machine, suite, one, random.fork(one.name));
        return `${suite.name}.${one.name}: ${pulse.now}, ${outcome}`;
      }),
    ),
  ];
};

for (const board of BOARDS) {
  test(`${board}: a checked machine counts the events of a quiet concrete one`, t => {
    t.deepEqual(eventsOf(board, 'all'), eventsOf(board, new LruAdversary()));
  });
}
