import type { IrqLine } from '../drivers/base/hw/irq';
import { probeDevice } from '../drivers/base/kernel/device';
import type { Device } from '../drivers/base/kernel/device';
import { invariant } from '../drivers/base/types/errors';
import type { Phandles } from '../drivers/of/phandle';
import type { DtNode } from '../drivers/of/tree';
import type { TranslatedPath } from '../mm/dma-tables';
import type { IommuSpec } from '../mm/iommu/core';
import type { IommuGroup } from '../mm/iommu/group';
import type { IommuDevice } from '../mm/iommu/types';
import type { Hardware } from './hardware';
import { iommuKindOf, streamsOf } from './iommus';
import type { KernelBuild } from './iommus/kind';
import { reservedOf } from './iommus/reserved';
import type { Kernel } from './kernel';
import type { MachinePlan } from './plan';
import { isUntrusted } from './plan-devices';
import type { DevicePlan } from './plan-devices';
import { usesLpae } from './plan-memory';
import type { DmaFacts } from './quirks';

/** What becomes of a device behind an IOMMU; both null for one that is not. */
export interface BehindIommu {
  readonly group: IommuGroup | null;
  /** Null: its DMA is direct, through an IOMMU that lets everything pass. */
  readonly path: TranslatedPath | null;
}

const DIRECT: BehindIommu = { group: null, path: null };

/** The IOMMUs of a machine that their drivers have taken: before any other device, as masters need them. */
export class BoundIommus {
  readonly #kernel: Kernel;
  readonly #bound = new Map<DtNode, IommuDevice>();
  readonly #notes: string[];
  readonly #phandles: Phandles;

  /** `makeDevice`: the kernel's view of a node with its interrupts. `notes` are added to. */
  constructor(
    hardware: Hardware,
    kernel: Kernel,
    { arch, cpus, memory, phandles }: MachinePlan,
    makeDevice: (plan: DevicePlan, irqs: readonly IrqLine[]) => Device,
    notes: string[],
  ) {
    this.#kernel = kernel;
    this.#phandles = phandles;
    this.#notes = notes;
    const build: KernelBuild = { is64Bit: arch === 'arm64', lpae: usesLpae(cpus, memory) };
    for (const { plan, irqs } of hardware.iommus) {
      const { node } = plan.device;
      const driver = iommuKindOf(node)?.driver(node, build);
      invariant(driver !== undefined, `${node.path}: a model without a driver`);
      const bound = probeDevice(driver, makeDevice(plan, irqs));
      if (typeof bound === 'number') {
        notes.push(`${node.path}: probe of the IOMMU failed with error ${bound}`);
        continue;
      }
      kernel.iommus.register(bound);
      this.#bound.set(node, bound);
    }
  }

  /** Each IOMMU by its node. */
  get byNode(): ReadonlyMap<DtNode, IommuDevice> {
    return this.#bound;
  }

  /** How a device of this configuration does DMA, where an IOMMU has a say in it. */
  behind(facts: DmaFacts): BehindIommu {
    const streams = streamsOf(facts);
    const specs = streams.flatMap(({ node, cells }): IommuSpec[] => {
      const iommu = this.#bound.get(node);
      return iommu === undefined ? [] : [{ iommu, cells }];
    });
    if (specs.length === 0 || specs.length < streams.length) return DIRECT;
    const group = this.#kernel.iommus.groupFor(specs, {
      isDirect: facts.iommu.kind !== 'iommu',
      isUntrusted: isUntrusted(facts),
      reserved: reservedOf(facts, this.#phandles),
    });
    if (typeof group === 'number') {
      this.#notes.push(`${facts.node.path}: IOMMU: error ${group}; its DMA is direct`);
      return DIRECT;
    }
    return { group, path: group.defaultDomain.dma === null ? null : this.#kernel.translated };
  }
}
