import test from 'ava';
import { EBUSY, EINVAL } from '../../../../drivers/base/kernel/errno';
import {
  chainIrq,
  IRQ_HANDLED,
  IRQ_NONE,
  IrqDomain,
  IrqType,
  type IrqChip,
} from '../../../../drivers/base/kernel/irq';
import { KernelOops } from '../../../../drivers/base/kernel/oops';

/** A controller without hardware: what is asserted and enabled is pending, lowest first. */
class FakeChip implements IrqChip {
  readonly name = 'fake';
  readonly asserted = new Set<number>();
  readonly enabled = new Set<number>();
  readonly log: string[] = [];
  enable(hwirq: number): void {
    this.log.push(`enable ${hwirq}`);
    this.enabled.add(hwirq);
  }
  disable(hwirq: number): void {
    this.log.push(`disable ${hwirq}`);
    this.enabled.delete(hwirq);
  }
  ack(): number | null {
    const pending = [...this.asserted].filter(hwirq => this.enabled.has(hwirq));
    return pending.length === 0 ? null : Math.min(...pending);
  }
  eoi(hwirq: number): void {
    this.log.push(`eoi ${hwirq}`);
  }
  setType(hwirq: number, type: IrqType): number {
    if (type === IrqType.EdgeBoth) return -EINVAL;
    this.log.push(`type ${hwirq} ${type}`);
    return 0;
  }
  setAffinity(): number {
    return 0;
  }
  translate(): { hwirq: number; type: IrqType } {
    return { hwirq: 0, type: IrqType.None };
  }
}

const core = () => {
  const chip = new FakeChip();
  return { chip, domain: new IrqDomain(chip) };
};

test('a line is enabled with its first handler and disabled with its last', t => {
  const { chip, domain } = core();
  const first = (): typeof IRQ_NONE => IRQ_NONE;
  const second = (): typeof IRQ_NONE => IRQ_NONE;
  t.is(domain.requestIrq(3, 'first', first, { shared: true }), 0);
  t.is(domain.requestIrq(3, 'second', second, { shared: true }), 0);
  t.deepEqual(domain.statistics(3).names, ['first', 'second']);
  t.is(domain.freeIrq(3, first), 'first');
  t.deepEqual(chip.log, ['enable 3']);
  t.is(domain.freeIrq(3, second), 'second');
  t.deepEqual(chip.log, ['enable 3', 'disable 3']);
  t.is(domain.freeIrq(3, second), null);
});

test('a line is shared only if all say so, and with one type', t => {
  const { domain } = core();
  const handler = (): typeof IRQ_NONE => IRQ_NONE;
  domain.requestIrq(1, 'alone', handler);
  t.is(domain.requestIrq(1, 'late', handler, { shared: true }), -EBUSY);
  domain.requestIrq(2, 'shared', handler, { shared: true, type: IrqType.LevelHigh });
  t.is(domain.requestIrq(2, 'alone', handler, { type: IrqType.LevelHigh }), -EBUSY);
  t.is(domain.requestIrq(2, 'edge', handler, { shared: true, type: IrqType.EdgeRising }), -EBUSY);
  t.is(domain.requestIrq(2, 'level', handler, { shared: true, type: IrqType.LevelHigh }), 0);
  t.is(domain.requestIrq(3, 'both', handler, { type: IrqType.EdgeBoth }), -EINVAL);
  t.deepEqual(domain.statistics(3).names, []);
});

test('every handler of a shared line is called, and one that cares is enough', t => {
  const { chip, domain } = core();
  const log: string[] = [];
  domain.requestIrq(4, 'a', () => (log.push('a'), IRQ_NONE), { shared: true });
  domain.requestIrq(
    4,
    'b',
    hwirq => {
      log.push('b');
      chip.asserted.delete(hwirq);
      return IRQ_HANDLED;
    },
    { shared: true },
  );
  chip.asserted.add(4);
  t.is(domain.handleIrq(), 1);
  t.deepEqual(log, ['a', 'b']);
  t.like(domain.statistics(4), { count: 1, unhandled: 0 });
});

test('an entry of the vector without an interrupt is counted as spurious', t => {
  const { domain } = core();
  t.is(domain.handleIrq(), 0);
  t.is(domain.handleIrq(), 0);
  t.is(domain.spurious, 2);
});

test('an interrupt that nobody requested is counted and its line disabled', t => {
  const { chip, domain } = core();
  chip.enabled.add(9);
  chip.asserted.add(9);
  t.is(domain.handleIrq(), 1);
  t.is(domain.unexpected, 1);
  t.deepEqual(chip.log, ['disable 9', 'eoi 9']);
});

test('disabling nests, and enabling once too often is an oops', t => {
  const { chip, domain } = core();
  domain.requestIrq(5, 'dev', () => IRQ_NONE);
  domain.disableIrq(5);
  domain.disableIrq(5);
  domain.enableIrq(5);
  t.false(chip.enabled.has(5));
  domain.enableIrq(5);
  t.true(chip.enabled.has(5));
  t.throws(
    () => {
      domain.enableIrq(5);
    },
    { instanceOf: KernelOops, message: /Unbalanced enable/ },
  );
});

test('a line of which nobody ever cares is turned off after 100,000 interrupts', t => {
  const { chip, domain } = core();
  let calls = 0;
  domain.requestIrq(6, 'deaf', () => {
    calls++;
    return IRQ_NONE;
  });
  chip.asserted.add(6);
  domain.handleIrq();
  t.is(calls, 100_000);
  t.like(domain.statistics(6), { unhandled: 100_000, isStuck: true });
  t.false(chip.enabled.has(6));
});

test('a line that is cared for now and then is not turned off', t => {
  const { chip, domain } = core();
  let calls = 0;
  domain.requestIrq(6, 'slow', () => {
    if (++calls === 150_000) chip.asserted.delete(6);
    return calls % 500 === 0 ? IRQ_HANDLED : IRQ_NONE;
  });
  chip.asserted.add(6);
  domain.handleIrq();
  t.is(calls, 150_000);
  t.false(domain.statistics(6).isStuck);
});

test('each 100,000 interrupts are counted for themselves', t => {
  const { chip, domain } = core();
  let calls = 0;
  domain.requestIrq(6, 'moody', () => {
    calls++;
    if (calls % 70_000 === 0) chip.asserted.delete(6);
    // Unhandled: 60,000 of the first 100,000, 60,000 of the second, all of the third.
    return calls <= 200_000 && calls % 100_000 >= 60_000 ? IRQ_HANDLED : IRQ_NONE;
  });
  for (let visit = 0; visit < 5; visit++) {
    chip.asserted.add(6);
    domain.handleIrq();
    t.is(domain.statistics(6).isStuck, visit === 4);
  }
  t.is(calls, 300_000);
});

test('a line that its handler never quiets is an oops, not a hang', t => {
  const { chip, domain } = core();
  domain.requestIrq(7, 'screaming', () => IRQ_HANDLED);
  chip.asserted.add(7);
  t.throws(() => domain.handleIrq(), { instanceOf: KernelOops, message: /7 \(screaming\)/ });
});

test('the interrupts of a cascaded controller arrive through one line of its parent', t => {
  const parent = core();
  const child = core();
  t.is(chainIrq(parent.domain, 31, child.domain), 0);
  const log: number[] = [];
  child.domain.requestIrq(2, 'dev', hwirq => {
    log.push(hwirq);
    child.chip.asserted.delete(hwirq);
    parent.chip.asserted.delete(31);
    return IRQ_HANDLED;
  });
  child.chip.asserted.add(2);
  parent.chip.asserted.add(31);
  t.is(parent.domain.handleIrq(), 1);
  t.deepEqual(log, [2]);
  t.like(parent.domain.statistics(31), { count: 1, unhandled: 0 });
});

test('a line is triggered as its mapping says, unless its driver asks for something else', t => {
  const { chip, domain } = core();
  const handler = (): typeof IRQ_NONE => IRQ_NONE;
  t.is(domain.createMapping({ hwirq: 1, type: IrqType.EdgeRising }), 0);
  t.is(domain.createMapping({ hwirq: 1, type: IrqType.EdgeRising }), 0);
  t.is(domain.createMapping({ hwirq: 1, type: IrqType.None }), 0);
  t.is(domain.createMapping({ hwirq: 1, type: IrqType.LevelHigh }), -EINVAL);
  t.deepEqual(chip.log, [], 'the controller is told when the line is requested');
  t.is(domain.requestIrq(1, 'mapped', handler, { shared: true }), 0);
  t.is(domain.requestIrq(1, 'also', handler, { shared: true, type: IrqType.EdgeRising }), 0);
  t.is(domain.requestIrq(1, 'level', handler, { shared: true, type: IrqType.LevelHigh }), -EBUSY);
  t.is(domain.createMapping({ hwirq: 2, type: IrqType.EdgeRising }), 0);
  t.is(domain.requestIrq(2, 'asked', handler, { type: IrqType.LevelHigh }), 0);
  t.is(domain.createMapping({ hwirq: 3, type: IrqType.EdgeBoth }), 0);
  t.is(domain.requestIrq(3, 'impossible', handler), -EINVAL);
  const types = chip.log.filter(line => line.startsWith('type'));
  t.deepEqual(types, [`type 1 ${IrqType.EdgeRising}`, `type 2 ${IrqType.LevelHigh}`]);
});
