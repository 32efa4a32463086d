import test from 'ava';
import { Device, probeMapped } from '../../../../drivers/base/kernel/device';
import { EIO, ENOMEM, ETIMEDOUT } from '../../../../drivers/base/kernel/errno';
import { cpuAddr, physAddr } from '../../../../drivers/base/types/address';
import type { CpuAddr } from '../../../../drivers/base/types/address';
import { CopyEngine } from '../../../../drivers/dma/copy-engine/model';
import { IrqLine } from '../../../../drivers/base/hw/irq';
import { rockchipIommuDriver } from '../../../../drivers/iommu/rockchip-iommu/driver';
import { DmaBench } from '../../../support/dma-bench';
import { DriverBench } from '../../../support/driver-bench';

const WINDOW = 0x100;

/** A device with so many windows of registers, of which the first `mappable` can be mapped. */
const deviceWith = (windows: number, mappable: number) => {
  const bench = new DmaBench();
  const model = new CopyEngine({
    name: 'dev',
    dma: bench.port(),
    irq: new IrqLine('irq'),
    events: bench.events,
    onGuestError: () => undefined,
  });
  const mapped: CpuAddr[] = [];
  const sizes: number[] = [];
  const { name, ofPath, dma, irqs, services } = new DriverBench(bench, model).device();
  const dev = new Device({
    name,
    ofPath,
    dma,
    irqs,
    registers: Array.from({ length: windows }, (_, i) => ({
      start: physAddr(0x9000_0000 + i * WINDOW),
      size: WINDOW,
    })),
    services: {
      ...services,
      ioremap: (address, size) => {
        if (mapped.length === mappable) return null;
        sizes.push(size);
        mapped.push(cpuAddr(address));
        return cpuAddr(address);
      },
      iounmap: address => {
        mapped.splice(mapped.indexOf(address), 1);
      },
    },
  });
  return { dev, mapped, sizes };
};

test('a probe is given the first window of registers, and keeps it', t => {
  const { dev, mapped, sizes } = deviceWith(2, 2);
  const bound = probeMapped(dev, (base, size) => ({ base, size }));
  t.deepEqual(bound, { base: cpuAddr(0x9000_0000), size: WINDOW });
  t.deepEqual(mapped, [cpuAddr(0x9000_0000)]);
  probeMapped(dev, base => ({ base }), 16);
  t.deepEqual(sizes, [WINDOW, 16], 'a driver may want less or more than the tree says');
});

test('a probe that fails gives the registers back', t => {
  const { dev, mapped } = deviceWith(1, 1);
  t.is(
    probeMapped(dev, () => -ETIMEDOUT),
    -ETIMEDOUT,
  );
  t.deepEqual(mapped, []);
});

test('without registers or without room for them nothing is probed', t => {
  const never = (): number => {
    throw new Error('a probe without registers');
  };
  t.is(probeMapped(deviceWith(0, 1).dev, never), -EIO);
  t.is(probeMapped(deviceWith(1, 0).dev, never), -ENOMEM);
});

test('a Rockchip IOMMU without room for its second bank gives the first one back', t => {
  const { dev, mapped } = deviceWith(2, 1);
  const driver = rockchipIommuDriver({ isV2: false, isResetDisabled: false });
  t.is(driver.probe(dev), -ENOMEM);
  t.deepEqual(mapped, []);
});
