import type { DeviceModel, GuestErrorSink } from '../drivers/base/hw/device';
import type { DmaPort } from '../drivers/base/hw/dma-port';
import type { EventQueue } from '../drivers/base/hw/event-queue';
import type { IrqLine } from '../drivers/base/hw/irq';
import type { Driver } from '../drivers/base/kernel/device';
import { copyEngineDriver } from '../drivers/dma/copy-engine/driver';
import { CopyEngine } from '../drivers/dma/copy-engine/model';
import { COPY_ENGINE } from '../drivers/dma/copy-engine/regs';
import { testMasterDriver } from '../drivers/misc/test-master/driver';
import { TestMaster } from '../drivers/misc/test-master/model';
import { TEST_MASTER } from '../drivers/misc/test-master/regs';

/** What a model is given of the machine. */
export interface DevicePorts {
  readonly name: string;
  /** Its way to memory, as the DMA configuration of its node says. */
  readonly dma: DmaPort;
  /** Leads where the node's first interrupt does. */
  readonly irq: IrqLine;
  readonly events: EventQueue;
  readonly onGuestError: GuestErrorSink;
}

/** A kind of device that dmabench models: a device is added by a row of the table below. */
export interface DeviceKind {
  /** It takes the devices that the kind stands for: those of its compatible strings. */
  readonly driver: Driver<unknown>;
  /** Bytes of registers behind each `reg` entry; the model's regions in the same order. */
  readonly windows: readonly number[];
  readonly makeModel: (ports: DevicePorts) => DeviceModel;
}

/**
 * Devices of a tree that have a model and a driver. Interrupt controllers and the cache outside
 * the cores are not here: the kernel brings them up itself.
 */
export const DEVICE_KINDS: readonly DeviceKind[] = [
  {
    driver: copyEngineDriver,
    windows: [COPY_ENGINE.size],
    makeModel: ports => new CopyEngine(ports),
  },
  {
    driver: testMasterDriver,
    windows: [TEST_MASTER.size],
    makeModel: ports => new TestMaster(ports),
  },
];

/** The kind of a device of these compatible strings, or null. */
export const deviceKindOf = (compatible: readonly string[]): DeviceKind | null =>
  DEVICE_KINDS.find(({ driver }) => driver.compatible.some(name => compatible.includes(name))) ??
  null;
