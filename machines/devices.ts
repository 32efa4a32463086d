import type { DeviceModel, GuestErrorSink } from '../drivers/base/hw/device';
import type { DmaPort } from '../drivers/base/hw/dma-port';
import type { EventQueue } from '../drivers/base/hw/event-queue';
import type { StaleEntry } from '../drivers/base/hw/iommu';
import type { IrqLine } from '../drivers/base/hw/irq';
import type { Driver } from '../drivers/base/kernel/device';
import { invariant } from '../drivers/base/types/errors';
import { copyEngineDriver } from '../drivers/dma/copy-engine/driver';
import { CopyEngine } from '../drivers/dma/copy-engine/model';
import { COPY_ENGINE } from '../drivers/dma/copy-engine/regs';
import { vivanteDriver } from '../drivers/gpu/vivante/driver';
import { VivanteGpu } from '../drivers/gpu/vivante/model';
import type { GpuMismatch, HeldLine } from '../drivers/gpu/vivante/model';
import { COMPATIBLE as GC_LITE_COMPATIBLE, GC_LITE } from '../drivers/gpu/vivante/regs';
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
  /** For a device with an MMU or caches of its own. */
  readonly inside: DeviceInsides;
}

/** Who is told of caches inside devices. */
export interface DeviceCacheSinks {
  /** Such a cache and memory say different things. */
  readonly onMismatch: (mismatch: GpuMismatch) => void;
  /** Such a cache may have something that memory has not, or has it no more. */
  readonly onHeld: (line: HeldLine) => void;
}

/** What is so, on this machine, of what a device keeps inside, and who is told of it. */
export interface DeviceInsides extends DeviceCacheSinks {
  /**
   * All that may be kept is looked past, so that every run makes the same accesses: on a checked machine,
   * which is told what it might have been, and where a witness is replayed.
   */
  readonly looksPast: boolean;
  /** As the sink of an IOMMU: an entry may be used that has changed since; true: it is. */
  readonly onStale: (stale: StaleEntry) => boolean;
}

/** The hardware of a kind of device. */
export interface ModelKind {
  /** The compatible strings that it stands for. */
  readonly compatible: readonly string[];
  /** Bytes of registers behind each `reg` entry; the model's regions in the same order. */
  readonly windows: readonly number[];
  readonly makeModel: (ports: DevicePorts) => DeviceModel;
}

/** A kind of device that dmabench models, and the driver that takes it. */
export interface DeviceKind extends ModelKind {
  readonly driver: Driver<unknown>;
}

/** Models and drivers, each found by compatible string. */
export interface DeviceModule {
  readonly models: readonly ModelKind[];
  readonly drivers: readonly Driver<unknown>[];
}

/** Translations that the MMU of a GPU keeps. _Assumed_. */
const GPU_TLB_ENTRIES = 64;

/**
 * Devices of a tree that have a model and a driver: one is added by an entry of each list.
 * Interrupt controllers and the cache outside the cores are not here: the kernel brings them up
 * itself.
 */
const OWN_DEVICES: DeviceModule = {
  models: [
    {
      compatible: copyEngineDriver.compatible,
      windows: [COPY_ENGINE.size],
      makeModel: ports => new CopyEngine(ports),
    },
    {
      compatible: [GC_LITE_COMPATIBLE],
      windows: [GC_LITE.size],
      makeModel: ({ inside, ...ports }) =>
        new VivanteGpu({ ...ports, ...inside, version: 2, tlbEntries: GPU_TLB_ENTRIES }),
    },
    {
      compatible: testMasterDriver.compatible,
      windows: [TEST_MASTER.size],
      makeModel: ports => new TestMaster(ports),
    },
  ],
  drivers: [copyEngineDriver, vivanteDriver, testMasterDriver],
};

/**
 * The models and drivers that a machine is made with, as a kernel knows those of its modules:
 * dmabench's own, and what was loaded beside them. Every model needs a driver that takes one of its
 * strings, and names and strings are each of one: whoever loads sees to that.
 */
export class DeviceKinds {
  readonly models: readonly ModelKind[];
  readonly drivers: readonly Driver<unknown>[];

  constructor(loaded: readonly DeviceModule[] = []) {
    const modules = [OWN_DEVICES, ...loaded];
    this.models = modules.flatMap(({ models }) => models);
    this.drivers = modules.flatMap(({ drivers }) => drivers);
  }

  /**
   * The kind of a device of these compatible strings, which go from the particular to the general:
   * the first that a model stands for, and the first that a driver takes. Null without a model.
   */
  of(compatible: readonly string[]): DeviceKind | null {
    const model = firstFor(this.models, compatible);
    if (model === null) return null;
    const driver = firstFor(this.drivers, compatible) ?? firstFor(this.drivers, model.compatible);
    invariant(driver !== null, `${model.compatible.join(', ')}: a model without a driver`);
    const { windows } = model;
    return {
      compatible: model.compatible,
      windows,
      makeModel: ports => model.makeModel(ports),
      driver,
    };
  }
}

const firstFor = <One extends { readonly compatible: readonly string[] }>(
  known: readonly One[],
  compatible: readonly string[],
): One | null => {
  for (const string of compatible) {
    const found = known.find(one => one.compatible.includes(string));
    if (found !== undefined) return found;
  }
  return null;
};
