import test from 'ava';
import { Device } from '../../../../drivers/base/hw/device';
import { MemoryRegion } from '../../../../drivers/base/hw/memory-region';
import { NO_RESET, ResetNode } from '../../../../drivers/base/hw/reset';
import { BenchError } from '../../../../drivers/base/types/errors';
import type { StateValue } from '../../../../drivers/base/types/state';

class Toy extends Device {
  readonly reset = new ResetNode('toy', NO_RESET);
  made = 0;
  complaint: string | null = null;

  saveState(): StateValue {
    return null;
  }

  restoreState(): void {
    return;
  }

  protected createRegions(): readonly MemoryRegion[] {
    this.made++;
    if (this.complaint !== null) throw new BenchError(this.complaint);
    return [MemoryRegion.container(this.name, 16)];
  }
}

const realize = (device: Device) => () => {
  device.realize();
};

test('a device makes its windows when it is realized, once, and names itself in errors', t => {
  const toy = new Toy('toy@1000');
  t.throws(() => toy.regions, {
    instanceOf: BenchError,
    message: 'toy@1000 is used before it was realized',
  });
  toy.realize();
  t.is(toy.regions, toy.regions);
  t.is(toy.regions[0]?.name, 'toy@1000');
  t.throws(realize(toy), { instanceOf: BenchError, message: 'toy@1000 is realized twice' });
  t.is(toy.made, 1);
});

test('a device that could not be realized stays unusable, and may be tried again', t => {
  const toy = new Toy('toy');
  toy.complaint = 'no DMA port';
  t.throws(realize(toy), { message: 'no DMA port' });
  t.throws(() => toy.regions, { message: /before it was realized/ });
  toy.complaint = null;
  toy.realize();
  t.is(toy.regions.length, 1);
});
