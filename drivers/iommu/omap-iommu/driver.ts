import type { Device, Driver } from '../../base/kernel/device';
import { EINVAL, EIO, ENOMEM, ENOSYS } from '../../base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqReturn } from '../../base/kernel/irq';
import { dmaAddr, hex } from '../../base/types/address';
import { BenchError } from '../../base/types/errors';
import type {
  DomainType,
  FaultHandler,
  IommuDevice,
  IommuDomain,
  TableMemory,
} from '../../../mm/iommu/types';
import { OMAP_TABLES } from '../../../mm/io-pgtable/omap';
import { TableDomain } from '../../../mm/io-pgtable/table-domain';
import type { TlbOwner } from '../../../mm/io-pgtable/table-domain';
import { OmapMmu } from './driver/mmu';
import type { TlbEntry } from './driver/mmu';
import { COMPATIBLE } from './regs';

/** What the tree says of one, beside its registers and interrupt. */
export interface OmapOptions {
  /** `ti,#tlb-entries`. */
  readonly tlbEntries: number;
  /** `ti,iommu-bus-err-back`. */
  readonly hasBusErrorBack: boolean;
}

const STREAM = 0;
/** Pages up to which each is looked for in the TLB; of more, all entries go. */
const MOST_SINGLE = 16;

/**
 * The driver of one OMAP IOMMU (drivers/iommu/omap-iommu.c). It has no `.of_xlate`: the DMA API of its
 * masters is direct, and drivers attach them to domains of their own.
 */
export class OmapIommuDevice implements IommuDevice, TlbOwner {
  readonly name: string;
  readonly deferredFlush = false;
  readonly dev: Device;
  readonly #mmu: OmapMmu;
  readonly #options: OmapOptions;
  #domain: TableDomain<OmapIommuDevice> | null = null;
  #handler: FaultHandler = () => -ENOSYS;

  constructor(dev: Device, mmu: OmapMmu, options: OmapOptions) {
    this.name = dev.name;
    this.dev = dev;
    this.#mmu = mmu;
    this.#options = options;
  }

  /** Requests the interrupt, if the board has wired it: 0 or an errno. */
  start(): number {
    const [irq] = this.dev.irqs;
    const handler = (): IrqReturn => this.#interrupt();
    return irq?.domain.requestIrq(irq.hwirq, this.dev.name, handler, { shared: true }) ?? 0;
  }

  onFault(handler: FaultHandler): void {
    this.#handler = handler;
  }

  streamOf(cells: readonly number[]): number {
    return cells.length === 0 ? STREAM : -EINVAL;
  }

  defaultDomainType(): 'identity' {
    return 'identity';
  }

  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null {
    return TableDomain.make<OmapIommuDevice>(type, OMAP_TABLES, this.dev, memory);
  }

  domainFree(domain: IommuDomain): void {
    mustBe(domain).free();
  }

  attach(_stream: number, domain: IommuDomain): number {
    const attached = mustBe(domain);
    if (this.#domain === attached) return 0;
    const added = attached.add(this);
    if (added !== 0) return added;
    this.#mmu.disable();
    this.#domain?.remove(this);
    this.#domain = attached;
    if (attached.table === null) return 0;
    this.#mmu.flushAll();
    this.#mmu.enable(attached.table.address, true, this.#options.hasBusErrorBack);
    return 0;
  }

  /** Without table walks, the MMU knows what `load` tells it, and no more (__iommu_set_twl). */
  setTableWalk(isOn: boolean): void {
    const table = this.#domain?.table ?? null;
    if (table !== null) this.#mmu.enable(table.address, isOn, this.#options.hasBusErrorBack);
  }

  /** Puts an entry into the TLB: 0, or -EBUSY without room (load_iotlb_entry). */
  load(entry: TlbEntry): number {
    return this.#mmu.load(entry);
  }

  flushPages(start: number, size: number, pageSize: number): void {
    if (size / pageSize > MOST_SINGLE) {
      this.#mmu.flushAll();
      return;
    }
    for (let at = start; at < start + size; at += pageSize) this.#mmu.flushPage(at);
  }

  flushAll(): void {
    this.#mmu.flushAll();
  }

  /** What nobody handles is said, and is the last: whoever waits goes on waiting (iommu_fault_handler). */
  #interrupt(): IrqReturn {
    const { bits, address } = this.#mmu.takeFault();
    if (bits === 0) return IRQ_NONE;
    const told = { stream: STREAM, address: dmaAddr(address), write: false, cause: hex(bits) };
    if (this.#handler(told) === 0) return IRQ_HANDLED;
    this.#mmu.ignoreFaults();
    const [first, second] = this.#domain?.table?.wordsAt(address) ?? [0, null];
    const entry = second === null ? '' : ` *pte:${hex(second)}`;
    const text = `errs:${hex(bits)} da:${hex(address)} *pgd:${hex(first)}${entry}`;
    this.dev.services.log.device('err', this.dev, `${this.name}: ${text}`);
    return IRQ_HANDLED;
  }
}

const mustBe = (domain: IommuDomain): TableDomain<OmapIommuDevice> => {
  if (domain instanceof TableDomain) return domain as TableDomain<OmapIommuDevice>;
  throw new BenchError('a domain of another driver');
};

/** The driver, with what the tree says of the one that it is for. */
export const omapIommuDriver = (options: OmapOptions): Driver<OmapIommuDevice> => ({
  name: 'omap-iommu',
  compatible: COMPATIBLE,
  /** Without an interrupt that the board has wired, nobody hears of faults. */
  probe: dev => {
    const [registers] = dev.registers;
    if (registers === undefined) return -EIO;
    const base = dev.services.ioremap(registers.start, registers.size);
    if (base === null) return -ENOMEM;
    const mmu = new OmapMmu(dev, base, options.tlbEntries);
    const iommu = new OmapIommuDevice(dev, mmu, options);
    const result = iommu.start();
    if (result === 0) {
      dev.services.log.device('info', dev, `${dev.name} registered, version ${mmu.version}`);
      return iommu;
    }
    dev.services.iounmap(base);
    return result;
  },
});
