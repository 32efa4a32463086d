import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { StreamingSteps } from '../../arch/arm/mm/dma';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { offsetBy } from '../../drivers/base/types/address';
import { invariant } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { bootMachine } from '../../machines/boot';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { planOf } from '../support/booted';

/* Who owns what where the device has a slot in place of the buffer (swiotlb=force). */

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;
const SIZE = 300;

const benchOf = (board: string, streaming: StreamingSteps = ALL_STEPS) => {
  const machine = bootMachine(
    { ...planOf(board), dmaMemory: { swiotlb: { force: true } } },
    {
      ...{ adversary: 'all', random: new Random(1), timing: 'latest', streaming },
    },
  );
  const { kernel, findings, observer, masters } = machine;
  const master = masters.find(({ device }) => !device.dev.dma.coherent)?.device;
  invariant(master !== undefined && findings !== null && observer !== null, board);
  const buffer = kernel.slab.kmalloc(SIZE, GFP_KERNEL);
  invariant(buffer !== null, 'no memory');
  const physical = kernel.mm.layout.virtToPhys(buffer);
  invariant(physical !== null, 'no lowmem');
  for (let offset = 0; offset < SIZE; offset += 4) kernel.cpu.store32(offsetBy(buffer, offset), 7);
  const map = (direction: DmaDirection) => {
    const address = dmaMapSingle(master.dev, buffer, SIZE, direction);
    dmaMappingError(master.dev, address);
    return address;
  };
  const rules = (): string[] => findings.take().map(({ rule }) => rule);
  return {
    cpu: kernel.cpu,
    dev: master.dev,
    master,
    findings,
    observer,
    buffer,
    physical,
    map,
    rules,
  };
};

/** arm64, and an ARMv7 with LPAE. */
for (const board of ['imx8mm', 'vexpress-a15'] as const) {
  test(`${board}: a driver that does everything right works through a slot without a finding`, t => {
    const { cpu, dev, master, observer, buffer, physical, map, rules } = benchOf(board);
    for (const direction of [Bidirectional, FromDevice] as const) {
      const address = map(direction);
      t.true(observer.ownership.mappings.overlapping(physical, 1)[0]?.isBounced);
      t.is(master.writePattern(address, 64, 3), 0);
      dmaSyncSingleForCpu(dev, address, SIZE, direction);
      cpu.load32(buffer);
      if (direction === Bidirectional) cpu.store32(offsetBy(buffer, 128), 1);
      dmaSyncSingleForDevice(dev, address, SIZE, direction);
      master.writePattern(address, SIZE, 4);
      dmaUnmapSingle(dev, address, SIZE, direction);
      cpu.load32(offsetBy(buffer, 128));
    }
    const address = map(ToDevice);
    master.checkPattern(address, SIZE, 4);
    dmaUnmapSingle(dev, address, SIZE, ToDevice);
    observer.finish();
    t.deepEqual(rules(), []);
  });

  test(`${board}: who touches the buffer or the slot out of turn is found`, t => {
    const { cpu, dev, master, findings, buffer, physical, map, rules } = benchOf(board);
    const address = map(FromDevice);
    master.writePattern(address, SIZE, 3);
    cpu.load32(buffer);
    const [found] = findings.take().filter(({ rule }) => rule !== 'never-written-bytes');
    t.like(found, {
      rule: 'cpu-access-to-device-buffer',
      buffer: { range: { start: physical, size: SIZE } },
    });
    master.checkPattern(address, 4, 3);
    t.deepEqual(rules(), ['device-access-against-direction']);
    dmaUnmapSingle(dev, address, SIZE, FromDevice);
    master.writePattern(address, 4, 3);
    const [late] = findings.take();
    t.like(late, { rule: 'device-access-after-unmap', buffer: { range: { start: physical } } });
    t.regex(late?.buffer?.unmappedAt ?? '', /^tests\/machines\/observation-bounce\.test\.ts:\d+$/);
  });

  test(`${board}: wrong bytes in a slot are those of the driver's buffer`, t => {
    const isLeftOut: StreamingSteps = ({ phase }, run) => {
      if (phase !== 'map') run();
    };
    const { dev, master, findings, physical, map } = benchOf(board, isLeftOut);
    const address = map(ToDevice);
    master.checkPattern(address, SIZE, 3);
    const [found] = findings.take();
    t.like(found, {
      rule: 'stale-device-read',
      device: dev.name,
      buffer: { range: { start: physical, size: SIZE } },
    });
    t.true((found?.bytes.start ?? 0) < physical || (found?.bytes.start ?? 0) >= physical + SIZE);
  });
}
