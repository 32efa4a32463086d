import test from 'ava';
import { EventQueue } from '../../../../drivers/base/hw/event-queue';
import { NO_RESET, ResetNode } from '../../../../drivers/base/hw/reset';
import { ticks } from '../../../../drivers/base/types/address';
import { BenchError } from '../../../../drivers/base/types/errors';

const logged = (name: string, log: string[], children: readonly ResetNode[] = []): ResetNode =>
  new ResetNode(
    name,
    {
      enter: () => log.push(`${name}.enter`),
      hold: () => log.push(`${name}.hold`),
      exit: () => log.push(`${name}.exit`),
    },
    children,
  );

test('every phase runs everywhere before the next begins, children before their parent', t => {
  const log: string[] = [];
  const a = logged('a', log);
  const b = logged('b', log);
  logged('bus', log, [a, b]).pulse();
  t.deepEqual(log, [
    ...['a.enter', 'b.enter', 'bus.enter'],
    ...['a.hold', 'b.hold', 'bus.hold'],
    ...['a.exit', 'b.exit', 'bus.exit'],
  ]);
});

test('with two sources of reset an object enters with the first and exits with the last', t => {
  const log: string[] = [];
  const device = logged('device', log);
  device.assert();
  device.assert();
  device.pulse();
  device.release();
  t.true(device.isInReset);
  t.deepEqual(log, ['device.enter', 'device.hold']);
  device.release();
  t.false(device.isInReset);
  t.deepEqual(log, ['device.enter', 'device.hold', 'device.exit']);
});

test('a bus reset during a reset of one device does not reset that device again', t => {
  const log: string[] = [];
  const a = logged('a', log);
  const bus = logged('bus', log, [a]);
  a.assert();
  bus.pulse();
  t.true(a.isInReset);
  t.deepEqual(log, ['a.enter', 'a.hold', 'bus.enter', 'bus.hold', 'bus.exit']);
  a.release();
  t.is(log.at(-1), 'a.exit');
});

test('a release without an assert, and a child added during reset, are defects of the bench', t => {
  const node = new ResetNode('node', NO_RESET);
  const release = (): void => {
    node.release();
  };
  t.throws(release, { instanceOf: BenchError, message: /was not in reset/ });
  node.assert();
  t.throws(
    () => {
      node.addChild(new ResetNode('child', NO_RESET));
    },
    { instanceOf: BenchError, message: /cannot take child/ },
  );
});

/*
 * The two rules of reset: a transfer is on its way through an IOMMU when both are reset. The
 * IOMMU is listed first, so only the phases keep the transfer from meeting an IOMMU without
 * translations.
 */
test('with DMA stopped in enter and the IOMMU reset in exit, no transfer faults', t => {
  const queue = new EventQueue();
  let translating = true;
  let faults = 0;
  const transfer = queue.after(0, 'transfer', () => {
    if (!translating) faults++;
  });
  const iommu = new ResetNode('iommu', {
    ...NO_RESET,
    exit: () => {
      translating = false;
    },
  });
  const dma = new ResetNode('dma', {
    ...NO_RESET,
    enter: () => {
      queue.cancel(transfer);
    },
  });
  const machine = new ResetNode('machine', NO_RESET, [iommu, dma]);
  machine.assert();
  t.true(translating, 'the IOMMU still translates while devices are being stopped');
  t.false(transfer.isPending);
  queue.advanceTo(ticks(1));
  machine.release();
  t.false(translating);
  t.is(faults, 0);
});
