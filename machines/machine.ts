import type { Device } from '../drivers/base/kernel/device';
import type { CopyEngineDevice } from '../drivers/dma/copy-engine/driver';
import type { TestMasterDevice } from '../drivers/misc/test-master/driver';
import type { DtNode } from '../drivers/of/tree';
import type { IommuDevice } from '../mm/iommu/types';
import type { FindingLog } from './finding-log';
import type { Hardware } from './hardware';
import type { Kernel } from './kernel';
import type { MasterPlan } from './masters';
import type { Observation } from './observation';
import type { MachinePlan } from './plan';
import type { DevicePlan } from './plan-devices';

/** A device of the tree that dmabench models, and what its driver made of it. */
export interface BoundDevice {
  readonly plan: DevicePlan;
  readonly dev: Device;
  readonly bound: unknown;
}

/** A test master that its driver has taken. */
export interface BoundMaster {
  readonly plan: MasterPlan;
  readonly device: TestMasterDevice;
}

/** A copy engine that its driver has taken. */
export interface BoundCopyEngine {
  readonly dev: Device;
  readonly engine: CopyEngineDevice;
}

/** A booted machine, as suites and commands use it: the silicon and the kernel that runs on it. */
export interface Machine {
  readonly plan: MachinePlan;
  readonly hardware: Hardware;
  readonly kernel: Kernel;
  /** Who watches it, null on a machine whose caches are concrete. */
  readonly observer: Observation | null;
  /** What the observer has found; null without one. */
  readonly findings: FindingLog | null;
  /** IOMMUs that a driver has taken, by their nodes. */
  readonly iommus: ReadonlyMap<DtNode, IommuDevice>;
  /** Devices of the tree that a driver has taken. */
  readonly devices: readonly BoundDevice[];
  readonly masters: readonly BoundMaster[];
  readonly copyEngines: readonly BoundCopyEngine[];
  /** What a reader should know of how it came up. */
  readonly notes: readonly string[];
}
