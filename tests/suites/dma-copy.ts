import { ENOMEM, ETIMEDOUT } from '../../drivers/base/kernel/errno';
import type { CpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { BoundCopyEngine, Machine } from '../../machines/machine';
import { ROUNDS, differing, fill, reachable, sizesFor } from './dma-support';
import type { Case, CaseContext } from './suite';
import { withDmaBuffer, withoutMmu } from './support';

/*
 * The copy engine's driver: a real driver of a device, with an end for everything that can happen.
 */

const withoutEngine = ({ copyEngines }: Machine): string | null =>
  copyEngines.length === 0 ? 'no copy engine on this board' : null;

/** With each engine, and how to have memory that it reaches. */
const onEveryEngine = (
  t: CaseContext,
  body: (
    engine: BoundCopyEngine,
    withMemory: (size: number, use: (address: CpuAddr) => void) => void,
  ) => void,
): void => {
  for (const engine of t.machine.copyEngines) {
    const gfp = reachable(t, engine);
    if (gfp === null) return t.skip('the copy engine does not reach RAM');
    body(engine, (size, use) => {
      withDmaBuffer(t, size, gfp, use);
    });
  }
};

const copies: Case = {
  name: 'the_copy_engine_copies',
  unfit: withoutEngine,
  run: t => {
    onEveryEngine(t, ({ engine, dev }, withMemory) => {
      const sizes = sizesFor(t.machine, dev);
      for (let round = 0; round < ROUNDS; round++) {
        const size = sizes[round % sizes.length] ?? PAGE_SIZE;
        withMemory(size, source => {
          withMemory(size, destination => {
            fill(t, source, size, round);
            // Dirty lines over the destination: what is not maintained shows.
            fill(t, destination, size, round + 100);
            t.equal(engine.copy(destination, source, size), 0, `a copy of ${size} bytes`);
            t.equal(differing(t, destination, size, round), 0, `the wrong bytes of ${size}`);
          });
        });
      }
    });
  },
};

/** What was mapped for a copy that cannot be made is given back: else dma-debug tells of it. */
const refuses: Case = {
  name: 'the_copy_engine_refuses_what_cannot_be_mapped',
  unfit: machine => withoutEngine(machine) ?? withoutMmu(machine),
  run: t => {
    const { mappings } = t.machine.kernel;
    onEveryEngine(t, ({ engine }, withMemory) => {
      const vmalloced = t.need(mappings.vmalloc(PAGE_SIZE), 'vmalloc memory');
      withMemory(PAGE_SIZE, buffer => {
        fill(t, buffer, PAGE_SIZE, 1);
        t.equal(engine.copy(vmalloced, buffer, PAGE_SIZE), -ENOMEM, 'a copy to vmalloc memory');
        t.equal(engine.copy(buffer, vmalloced, PAGE_SIZE), -ENOMEM, 'a copy from there');
        t.equal(differing(t, buffer, PAGE_SIZE, 1), 0, 'the wrong bytes of the buffer');
      });
      mappings.vfree(vmalloced);
    });
    const others = t.takeFindings().filter(rule => rule !== 'dma-debug');
    t.equal(others.length, 0, 'the findings beside the message that the kernel prints for it');
  },
};

const aborts: Case = {
  name: 'the_copy_engine_aborts_a_copy_whose_end_nobody_tells',
  unfit: machine =>
    withoutEngine(machine) ??
    (machine.copyEngines.some(({ dev }) => dev.irqs.length === 0) ? 'the engine is polled' : null),
  run: t => {
    const { cpu } = t.machine.kernel;
    onEveryEngine(t, ({ engine }, withMemory) => {
      withMemory(PAGE_SIZE, source => {
        withMemory(PAGE_SIZE, destination => {
          fill(t, source, PAGE_SIZE, 2);
          const copy = (): number => engine.copy(destination, source, PAGE_SIZE);
          const areEnabled = cpu.setInterruptsEnabled(false);
          t.equal(copy(), -ETIMEDOUT, 'a copy with interrupts off');
          cpu.setInterruptsEnabled(areEnabled);
          t.equal(copy(), 0, 'the next copy');
          t.equal(differing(t, destination, PAGE_SIZE, 2), 0, 'the wrong bytes');
        });
      });
    });
  },
};

export const COPY_ENGINE_CASES: readonly Case[] = [copies, refuses, aborts];
