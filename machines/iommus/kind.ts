import type { DeviceModel, GuestErrorSink } from '../../drivers/base/hw/device';
import type { DmaMemory } from '../../drivers/base/hw/dma-memory';
import type { IommuHook } from '../../drivers/base/hw/dma-port';
import type { EventQueue } from '../../drivers/base/hw/event-queue';
import type { RefusedAccess, StaleEntrySink, TableUse } from '../../drivers/base/hw/iommu';
import type { IrqLine } from '../../drivers/base/hw/irq';
import type { Driver } from '../../drivers/base/kernel/device';
import type { DtNode } from '../../drivers/of/tree';
import type { IommuDevice } from '../../mm/iommu/types';

/** What the machine gives the model of an IOMMU. */
export interface IommuParts {
  readonly node: DtNode;
  readonly name: string;
  /** Its way to tables and queues: through the caches where its node is `dma-coherent`. */
  readonly memory: DmaMemory;
  /** One for each of the `interrupts` that IommuKind.interrupts counts, in their order. */
  readonly irqs: readonly IrqLine[];
  readonly events: EventQueue;
  /**
   * All cache behaviours at once, or those of a schedule: whatever was fetched may be kept, and nothing
   * need be.
   */
  readonly isChecked: boolean;
  /** Translations that it keeps where it is one machine in particular; 0 in check mode of those. */
  readonly tlbEntries: number;
  readonly onGuestError: GuestErrorSink;
  readonly onStale: StaleEntrySink;
  /** Told of every transaction that is refused, also where registers have no room for it. */
  readonly onRefused: (refused: RefusedAccess) => void;
}

/** The hardware of an IOMMU. */
export interface IommuModel extends DeviceModel {
  /** What the transactions of a master pass on their way that come with these cells. */
  stream(cells: readonly number[], master: string): IommuHook;
  /** By what a walk may come to a table that begins in these bytes, unasked; null: by nothing. */
  walksInto(start: number, size: number): TableUse | null;
}

/** How the kernel was built, where a driver's choices depend on it. */
export interface KernelBuild {
  /** CONFIG_64BIT. */
  readonly is64Bit: boolean;
  /** CONFIG_ARM_LPAE. */
  readonly lpae: boolean;
}

/** A kind of IOMMU that dmabench models, and the driver that takes it. */
export interface IommuKind {
  readonly compatible: readonly string[];
  /** Its driver can do with invalidations that come later, as IommuDevice.deferredFlush says; absent: not. */
  readonly mayDefer?: boolean;
  /** Bytes of registers behind each `reg` entry of such a node; the model's regions in that order. */
  windows(node: DtNode): readonly number[];
  /** Interrupt lines that it has: the node's `interrupts` lead from the first on. */
  interrupts(node: DtNode): number;
  /** InputError for a node that its binding does not permit. */
  check(node: DtNode): void;
  /** What its binding expects of a master's cells, where these are not that; null: they are. */
  checkStream(node: DtNode, cells: readonly number[]): string | null;
  makeModel(parts: IommuParts): IommuModel;
  /** For this node: what its driver reads of the tree, it is told here. */
  driver(node: DtNode, build: KernelBuild): Driver<IommuDevice>;
}
