import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { IrqChip } from '../../drivers/base/kernel/irq';
import { IrqDomain } from '../../drivers/base/kernel/irq';
import { MIB } from '../../drivers/base/types/bits';
import { Kernel } from '../../machines/kernel';
import { ArmMachine, RAM_BASE } from '../arch/arm/machine';

/** A chip without lines, whose interrupts are over when they are claimed. */
const quietChip = (machine: ArmMachine): IrqChip => ({
  name: 'quiet',
  enable: () => undefined,
  disable: () => undefined,
  ack: () => {
    machine.cpu.interruptPending = false;
    return null;
  },
  eoi: () => undefined,
  setType: () => 0,
  setAffinity: () => 0,
  translate: () => ({ hwirq: 0, type: 0 }),
});

const make = (): { readonly machine: ArmMachine; readonly kernel: Kernel } => {
  const machine = new ArmMachine({ core: 'cortex-a9', off: true });
  const kernel = new Kernel(machine.cpu, {
    memory: {
      image: 'arm',
      ram: [{ base: RAM_BASE, size: 64 * MIB }],
      reserved: [],
      noMap: [],
      dmaLimit: null,
      lpae: false,
    },
    outer: null,
    streaming: ALL_STEPS,
    dmaZoneLimit: null,
    clock: () => machine.events.now,
  });
  kernel.startInterrupts(new IrqDomain(quietChip(machine)));
  return { machine, kernel };
};

/** An interrupt every so many ns. */
const interruptEvery = (machine: ArmMachine, period: number): void => {
  machine.events.after(period, 'tick', () => {
    machine.cpu.interruptPending = true;
    interruptEvery(machine, period);
  });
};

const LIMIT = 100_000;

/** How long the kernel waits for what never comes, in simulated ns. */
const waited = ({ machine, kernel }: ReturnType<typeof make>): number => {
  const start = machine.events.now;
  const isDone = kernel.services.waitUntil(() => false, LIMIT);
  return isDone ? NaN : machine.events.now - start;
};

test('waiting takes the time that it is given, without interrupts and with many', t => {
  t.is(waited(make()), LIMIT);
  const busy = make();
  interruptEvery(busy.machine, 100);
  t.is(waited(busy), LIMIT);
});

test('an interrupt that is masked and stays pending does not stop time', t => {
  const stuck = make();
  stuck.kernel.cpu.setInterruptsEnabled(false);
  stuck.machine.cpu.interruptPending = true;
  t.is(waited(stuck), LIMIT);
});

test('waiting ends when what is waited for has come', t => {
  const { machine, kernel } = make();
  let come = false;
  machine.events.after(5500, 'it', () => {
    come = true;
  });
  t.true(kernel.services.waitUntil(() => come, LIMIT));
  t.true(machine.events.now < 8000);
});
