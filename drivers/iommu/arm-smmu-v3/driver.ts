import { probeMapped } from '../../base/kernel/device';
import type { Device, Driver } from '../../base/kernel/device';
import { EINVAL, ENOMEM } from '../../base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqHandler } from '../../base/kernel/irq';
import { ioRegisters } from '../../base/kernel/registers';
import type { CpuAddr } from '../../base/types/address';
import { BenchError } from '../../base/types/errors';
import { dmaSetMaskAndCoherent } from '../../../mm/dma-mapping-common';
import type {
  DomainType,
  FaultHandler,
  IommuDevice,
  IommuDomain,
  ReservedRegion,
  TableMemory,
} from '../../../mm/iommu/types';
import { CommandQueue } from './driver/command-queue';
import { SmmuDomain, SmmuTable } from './driver/domain';
import { EventQueue } from './driver/event-queue';
import { FaultReporter } from './driver/faults';
import { probeFeatures } from './driver/features';
import type { SmmuFeatures } from './driver/features';
import { Masters } from './driver/masters';
import type { MasterOptions } from './driver/masters';
import { Numbers } from './driver/numbers';
import { resetSmmu } from './driver/reset';
import type { IrqEnables, SmmuParts } from './driver/reset';
import { DriverStreamTable } from './driver/stream-table';
import { COMPATIBLE, SMMU_V3 } from './regs';
import type { IrqName } from './regs';

/** Where MSIs are mapped, by choice of software (MSI_IOVA_BASE, MSI_IOVA_LENGTH). */
const MSI_REGION: ReservedRegion = { type: 'sw-msi', start: 0x800_0000, length: 0x10_0000 };

/** What the driver reads of the tree, beside resources. */
export type SmmuV3Options = Pick<MasterOptions, 'mayStall' | 'brokenPrefetch'>;

/** The driver of one SMMUv3. */
export class SmmuV3Device implements IommuDevice {
  readonly name: string;
  readonly deferredFlush = true;
  readonly commands: CommandQueue;
  readonly #parts: SmmuParts;
  readonly #features: SmmuFeatures;
  readonly #masters: Masters;
  readonly #faults: FaultReporter;
  readonly #asids: Numbers;
  readonly #vmids: Numbers;
  readonly #domains = new WeakSet<SmmuDomain>();

  constructor(parts: SmmuParts, features: SmmuFeatures, options: SmmuV3Options) {
    const { commands, dev, regs, streams } = parts;
    this.name = dev.name;
    this.commands = commands;
    this.#parts = parts;
    this.#features = features;
    this.#masters = new Masters(dev, commands, streams, {
      ...options,
      stage1: features.stage1,
      stallsExist: features.stalls,
      attributesOverride: features.attributesOverride,
    });
    this.#faults = new FaultReporter(dev, regs, commands);
    this.#asids = new Numbers(1, 2 ** features.asidBits);
    this.#vmids = new Numbers(1, 2 ** features.vmidBits);
  }

  /** Resets the hardware and turns it on: 0 or an errno. */
  start(): number {
    return resetSmmu(this.#parts, () => this.#requestIrqs());
  }

  onFault(handler: FaultHandler): void {
    this.#faults.handler = handler;
  }

  reservedRegions(): readonly ReservedRegion[] {
    return [MSI_REGION];
  }

  streamOf([sid, ...others]: readonly number[]): number {
    const isStream = sid !== undefined && others.length === 0;
    return isStream && sid < 2 ** this.#features.sidBits ? sid : -EINVAL;
  }

  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null {
    const hasTable = type !== 'blocked' && type !== 'identity';
    const table = hasTable ? this.#makeTable(memory) : null;
    if (hasTable && table === null) return null;
    const domain = new SmmuDomain(type, table, memory);
    this.#domains.add(domain);
    return domain;
  }

  domainFree(domain: IommuDomain): void {
    if (!this.#isOurs(domain)) throw new BenchError(`${this.name}: a domain of another IOMMU`);
    const table = domain.ops;
    if (table === null) return;
    table.free();
    const { translation } = table;
    if (translation.stage === 1) this.#asids.giveBack(translation.asid);
    else this.#vmids.giveBack(translation.vmid);
  }

  /** -EINVAL for a domain of another SMMU. */
  attach(stream: number, domain: IommuDomain): number {
    return this.#isOurs(domain) ? this.#masters.attach(stream, domain) : -EINVAL;
  }

  #isOurs(domain: IommuDomain): domain is SmmuDomain {
    return domain instanceof SmmuDomain && this.#domains.has(domain);
  }

  #makeTable(memory: TableMemory): SmmuTable | null {
    const { stage1, coherent, ias, oas, pageSizes } = this.#features;
    const { commands, dev } = this.#parts;
    const numbers = stage1 ? this.#asids : this.#vmids;
    const number = numbers.take();
    if (number === null) return null;
    const config = { pageSizes, oas, coherentWalk: coherent, memory, dev };
    const table = stage1
      ? SmmuTable.make({ ...config, ias }, commands, { stage: 1, asid: number })
      : SmmuTable.make({ ...config, ias: oas }, commands, { stage: 2, vmid: number });
    if (table === null) numbers.giveBack(number);
    return table;
  }

  /** Those that the board has wired: one for all, or one each (arm_smmu_setup_irqs). */
  #requestIrqs(): IrqEnables | number {
    const { dev } = this.#parts;
    // Without a controller of MSIs that the kernel knows.
    dev.services.log.device('info', dev, 'msi_domain absent - falling back to wired irqs');
    const eventq = (): boolean => this.#drain();
    const gerror = (): boolean => this.#faults.globalError();
    const both = (): boolean => [gerror(), eventq()].includes(true);
    const combined = this.#requestIrq('combined', both);
    if (combined !== null) return combined === 0 ? { eventq: true, gerror: true } : combined;
    const results = [this.#requestIrq('eventq', eventq), this.#requestIrq('gerror', gerror)];
    const warnings = [
      'no evtq irq - events will not be reported!',
      'no gerr irq - errors will not be reported!',
    ];
    results.forEach((result, i) => {
      if (result !== 0) dev.services.log.device('warn', dev, warnings[i] ?? '');
    });
    return { eventq: results[0] === 0, gerror: results[1] === 0 };
  }

  /** Null: not wired. */
  #requestIrq(name: IrqName, handle: () => boolean): number | null {
    const { dev } = this.#parts;
    const irq = dev.irqs.find(candidate => candidate.name === name);
    if (irq === undefined) return null;
    const handler: IrqHandler = () => (handle() ? IRQ_HANDLED : IRQ_NONE);
    return irq.domain.requestIrq(irq.hwirq, `arm-smmu-v3-${name}`, handler, { shared: true });
  }

  #drain(): boolean {
    const taken = this.#parts.events.drain(record => {
      this.#faults.event(record);
    });
    return taken > 0;
  }
}

/** Takes the hardware (arm_smmu_device_probe); an errno if it cannot be had. */
const probeSmmu = (dev: Device, base: CpuAddr, options: SmmuV3Options): SmmuV3Device | number => {
  const regs = ioRegisters(SMMU_V3, dev.services.io, base);
  const features = probeFeatures(dev, regs);
  if (typeof features === 'number') return features;
  const { ias, oas, sidBits, syncMessages, twoLevelTables } = features;
  if (dmaSetMaskAndCoherent(dev, 2 ** oas - 1) !== 0) {
    dev.services.log.device('warn', dev, 'failed to set DMA mask for table walker');
  }
  dev.services.log.device('info', dev, `ias ${ias}-bit, oas ${oas}-bit`);
  const commands = CommandQueue.make(dev, regs, syncMessages);
  const events = EventQueue.make(dev, regs);
  const streams = DriverStreamTable.make(dev, sidBits, twoLevelTables);
  if (commands === null || events === null || streams === null) return -ENOMEM;
  const smmu = new SmmuV3Device({ dev, regs, commands, events, streams }, features, options);
  const result = smmu.start();
  return result === 0 ? smmu : result;
};

/** The driver, for a node with these properties. */
export const smmuV3Driver = (options: SmmuV3Options): Driver<SmmuV3Device> => ({
  name: 'arm-smmu-v3',
  compatible: COMPATIBLE,
  probe: dev => {
    const [registers] = dev.registers;
    if (registers !== undefined && registers.size < SMMU_V3.size) {
      dev.services.log.device('err', dev, 'MMIO region too small');
      return -EINVAL;
    }
    return probeMapped(dev, base => probeSmmu(dev, base, options), SMMU_V3.size);
  },
});
