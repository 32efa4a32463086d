import type { IrqLine } from '../drivers/base/hw/irq';
import { probeDevice } from '../drivers/base/kernel/device';
import type { Device } from '../drivers/base/kernel/device';
import { trivialIommuDriver } from '../drivers/iommu/trivial/driver';
import type { TrivialIommuDevice } from '../drivers/iommu/trivial/driver';
import type { DtNode } from '../drivers/of/tree';
import type { TranslatedPath } from '../mm/dma-tables';
import type { IommuGroup } from '../mm/iommu/core';
import type { Hardware } from './hardware';
import { streamOf } from './iommus';
import type { Kernel } from './kernel';
import type { DevicePlan } from './plan-devices';
import type { DmaFacts } from './quirks';

/** What becomes of a device behind an IOMMU; both null for one that is not. */
export interface BehindIommu {
  readonly group: IommuGroup | null;
  /** Null: its DMA is direct, through an IOMMU that lets everything pass. */
  readonly path: TranslatedPath | null;
}

const DIRECT: BehindIommu = { group: null, path: null };

/** The IOMMUs of a machine that their driver has taken: before any other device, as masters need them. */
export class BoundIommus {
  readonly #kernel: Kernel;
  readonly #bound = new Map<DtNode, TrivialIommuDevice>();
  readonly #notes: string[];

  /** `makeDevice`: the kernel's view of a node with its interrupt. `notes` are added to. */
  constructor(
    hardware: Hardware,
    kernel: Kernel,
    makeDevice: (plan: DevicePlan, irq: IrqLine) => Device,
    notes: string[],
  ) {
    this.#kernel = kernel;
    this.#notes = notes;
    for (const { plan, irq } of hardware.iommus) {
      const { node } = plan.device;
      const bound = probeDevice(trivialIommuDriver, makeDevice(plan, irq));
      if (typeof bound === 'number') {
        notes.push(`${node.path}: probe of the IOMMU failed with error ${bound}`);
        continue;
      }
      kernel.iommus.register(bound);
      this.#bound.set(node, bound);
    }
  }

  /** Each IOMMU by its node. */
  get byNode(): ReadonlyMap<DtNode, TrivialIommuDevice> {
    return this.#bound;
  }

  /** How a device of this configuration does DMA, where an IOMMU has a say in it. */
  behind(facts: DmaFacts): BehindIommu {
    const stream = streamOf(facts);
    const iommu = stream === null ? undefined : this.#bound.get(stream.node);
    if (stream === null || iommu === undefined) return DIRECT;
    const group = this.#kernel.iommus.groupFor(iommu, stream.cells);
    if (typeof group === 'number') {
      this.#notes.push(`${facts.node.path}: IOMMU: error ${group}; its DMA is direct`);
      return DIRECT;
    }
    const isTranslated = group.defaultDomain.domain.type === 'dma';
    return { group, path: isTranslated ? this.#kernel.translated : null };
  }
}
