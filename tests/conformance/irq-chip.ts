import type { TestFn } from 'ava';
import {
  IrqDomain,
  IRQ_HANDLED,
  IRQ_NONE,
  type IrqChip,
  type IrqHandler,
} from '../../drivers/base/kernel/irq';
import type { IrqLine } from '../../drivers/base/hw/irq';
import type { RegisterIo } from '../../drivers/base/kernel/registers';
import { offsetBy, type CpuAddr } from '../../drivers/base/types/address';
import { InputError } from '../../drivers/base/types/errors';

/** A controller's model and its driver, joined and initialised. */
export interface Controller {
  readonly chip: IrqChip;
  /** The line to the CPU that runs the driver. */
  readonly irq: IrqLine;
  /** Drives the controller's input of an interrupt. */
  readonly input: (hwirq: number, level: boolean) => void;
  /** Level-triggered interrupts to try: the ends of every bank. */
  readonly lines: readonly number[];
  /** Specifiers and the interrupts that they name. */
  readonly specifiers: readonly (readonly [cells: readonly number[], hwirq: number])[];
  readonly wrongSpecifiers: readonly (readonly number[])[];
  readonly guestErrors: readonly string[];
}

/** Writes every word from `at` on; what firmware may have done to a controller before Linux. */
export const fill = (io: RegisterIo, at: CpuAddr, words: number, value: number): void => {
  for (let i = 0; i < words; i++) io.writel(value, offsetBy(at, 4 * i));
};

/** A device that keeps its line asserted until its handler is called. */
const quieting =
  ({ input }: Controller, log: number[]): IrqHandler =>
  hwirq => {
    log.push(hwirq);
    input(hwirq, false);
    return IRQ_HANDLED;
  };

/**
 * What driver and model of an interrupt controller have to do together, whatever it is. With
 * `firmware`, `make` leaves interrupts enabled, pending and half handled before it calls the driver.
 */
export const irqChipConformance = (
  test: TestFn,
  name: string,
  make: (firmware?: 'left it running') => Controller,
): void => {
  test(`${name}: what firmware left enabled or pending is quiet after initialisation`, t => {
    const controller = make('left it running');
    for (const line of controller.lines) controller.input(line, true);
    t.false(controller.irq.level);
    for (const line of controller.lines) controller.input(line, false);
    const domain = new IrqDomain(controller.chip);
    const log: number[] = [];
    for (const line of controller.lines) {
      domain.requestIrq(line, 'dev', quieting(controller, log));
      t.false(controller.irq.level, `line ${line}`);
    }
    for (const line of controller.lines) controller.input(line, true);
    domain.handleIrq();
    t.is(log.length, controller.lines.length);
  });

  test(`${name}: a line does not interrupt its own handler`, t => {
    const controller = make();
    const domain = new IrqDomain(controller.chip);
    for (const line of controller.lines) {
      domain.requestIrq(line, 'dev', () => {
        t.false(controller.irq.level, `line ${line}`);
        controller.input(line, false);
        return IRQ_HANDLED;
      });
      controller.input(line, true);
      domain.handleIrq();
    }
    t.plan(controller.lines.length);
  });

  test(`${name}: each line reaches its handler, once, and then the CPU's line is low`, t => {
    const controller = make();
    const domain = new IrqDomain(controller.chip);
    const log: number[] = [];
    const handler = quieting(controller, log);
    for (const line of controller.lines) t.is(domain.requestIrq(line, 'dev', handler), 0);
    for (const line of controller.lines) {
      t.false(controller.irq.level);
      controller.input(line, true);
      t.true(controller.irq.level, `line ${line}`);
      t.is(domain.handleIrq(), 1);
      t.false(controller.irq.level, `line ${line}`);
    }
    t.deepEqual(log, controller.lines);
    t.deepEqual(controller.guestErrors, []);
    t.is(domain.spurious, 0);
  });

  test(`${name}: lines asserted together are all handled in one visit`, t => {
    const controller = make();
    const domain = new IrqDomain(controller.chip);
    const log: number[] = [];
    for (const line of controller.lines) {
      domain.requestIrq(line, 'dev', quieting(controller, log));
      controller.input(line, true);
    }
    t.is(domain.handleIrq(), controller.lines.length);
    t.deepEqual(
      [...log].sort((a, b) => a - b),
      [...controller.lines].sort((a, b) => a - b),
    );
    t.false(controller.irq.level);
  });

  test(`${name}: a line that nobody requested does not interrupt`, t => {
    const controller = make();
    for (const line of controller.lines) controller.input(line, true);
    t.false(controller.irq.level);
    t.is(new IrqDomain(controller.chip).handleIrq(), 0);
  });

  test(`${name}: a disabled line waits and arrives when it is enabled`, t => {
    const controller = make();
    const domain = new IrqDomain(controller.chip);
    const log: number[] = [];
    for (const line of controller.lines) {
      domain.requestIrq(line, 'dev', quieting(controller, log));
      domain.disableIrq(line);
      controller.input(line, true);
      t.false(controller.irq.level, `line ${line}`);
      domain.enableIrq(line);
      t.true(controller.irq.level, `line ${line}`);
      t.is(domain.handleIrq(), 1);
    }
    t.deepEqual(log, controller.lines);
  });

  test(`${name}: a level that its handler did not quiet interrupts again`, t => {
    const controller = make();
    const domain = new IrqDomain(controller.chip);
    let visits = 0;
    for (const line of controller.lines) {
      visits = 0;
      domain.requestIrq(line, 'dev', () => {
        if (++visits === 3) controller.input(line, false);
        return IRQ_HANDLED;
      });
      controller.input(line, true);
      t.is(domain.handleIrq(), 3);
    }
    t.false(controller.irq.level);
  });

  test(`${name}: a handler that disables its own line is not called again`, t => {
    const controller = make();
    const domain = new IrqDomain(controller.chip);
    const [line = 0] = controller.lines;
    let calls = 0;
    domain.requestIrq(line, 'dev', () => {
      calls++;
      domain.disableIrq(line);
      return IRQ_NONE;
    });
    controller.input(line, true);
    domain.handleIrq();
    t.is(calls, 1);
    t.false(controller.irq.level);
  });

  test(`${name}: a line that is quiet again before the CPU looks leaves nothing behind`, t => {
    const controller = make();
    const domain = new IrqDomain(controller.chip);
    const [line = 0] = controller.lines;
    domain.requestIrq(line, 'dev', quieting(controller, []));
    controller.input(line, true);
    controller.input(line, false);
    domain.handleIrq();
    t.is(domain.spurious, 1);
    t.false(controller.irq.level);
  });

  test(`${name}: specifiers name the interrupts of the binding, and wrong ones are refused`, t => {
    const { chip, specifiers, wrongSpecifiers } = make();
    for (const [cells, hwirq] of specifiers) t.is(chip.translate(cells).hwirq, hwirq);
    for (const cells of wrongSpecifiers) {
      t.throws(() => chip.translate(cells), { instanceOf: InputError, message: /'interrupts'/ });
    }
  });
};
