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
import { EXYNOS_TABLES, EXYNOS_V5_TABLES } from '../../../mm/io-pgtable/exynos';
import { TableDomain } from '../../../mm/io-pgtable/table-domain';
import type { TlbOwner } from '../../../mm/io-pgtable/table-domain';
import { SysmmuHardware } from './driver/mmu';
import { COMPATIBLE } from './regs';

const STREAM = 0;
const V5_MASK = 2 ** 36 - 1;

/** The driver of one SYSMMU; those of one master share its domain (drivers/iommu/exynos-iommu.c). */
export class SysmmuDevice implements IommuDevice, TlbOwner {
  readonly name: string;
  readonly deferredFlush = false;
  readonly dev: Device;
  readonly #hardware: SysmmuHardware;
  #domain: TableDomain<SysmmuDevice> | null = null;
  #handler: FaultHandler = () => -ENOSYS;

  constructor(dev: Device, hardware: SysmmuHardware) {
    this.name = dev.name;
    this.dev = dev;
    this.#hardware = hardware;
    if (!hardware.isV5) return;
    dev.dma.mask = V5_MASK;
    dev.dma.coherentMask = V5_MASK;
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

  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null {
    const format = this.#hardware.isV5 ? EXYNOS_V5_TABLES : EXYNOS_TABLES;
    return TableDomain.make<SysmmuDevice>(type, format, this.dev, memory);
  }

  domainFree(domain: IommuDomain): void {
    mustBe(domain).free();
  }

  attach(_stream: number, domain: IommuDomain): number {
    const attached = mustBe(domain);
    if (this.#domain === attached) return 0;
    const added = attached.add(this);
    if (added !== 0) return added;
    this.#hardware.disable();
    this.#domain?.remove(this);
    this.#domain = attached;
    if (attached.table !== null) this.#hardware.enable(attached.table.address);
    return 0;
  }

  flushPages(start: number, size: number, pageSize: number): void {
    this.#hardware.flushPages(start, size, pageSize);
  }

  flushAll(): void {
    this.#hardware.flushAll();
  }

  /** Nobody recovers what nobody handles: where Linux stops (BUG), this has said so, and goes on. */
  #interrupt(): IrqReturn {
    const fault = this.#hardware.pending();
    if (fault === null) return IRQ_NONE;
    const { name, address, write } = fault;
    const told = { stream: STREAM, address: dmaAddr(address), write, cause: name };
    if (this.#domain === null || this.#handler(told) !== 0) {
      this.#log(`[${write ? 'WRITE' : 'READ'}] ${name} FAULT occurred at ${hex(address)}`);
      this.#logTable(address);
    }
    this.#hardware.clear(fault);
    return IRQ_HANDLED;
  }

  #logTable(address: number): void {
    const table = this.#domain?.table ?? null;
    if (table === null) return;
    const [first, second] = table.wordsAt(address);
    this.#log(`Page table base: ${hex(table.address)}`);
    this.#log(`\tLv1 entry: ${hex(first)}`);
    if (second !== null) this.#log(`\tLv2 entry: ${hex(second)}`);
  }

  #log(text: string): void {
    this.dev.services.log.device('err', this.dev, text);
  }
}

const mustBe = (domain: IommuDomain): TableDomain<SysmmuDevice> => {
  if (domain instanceof TableDomain) return domain as TableDomain<SysmmuDevice>;
  throw new BenchError('a domain of another driver');
};

export const sysmmuDriver: Driver<SysmmuDevice> = {
  name: 'exynos-sysmmu',
  compatible: COMPATIBLE,
  /** Without an interrupt that the board has wired, nobody hears of faults. */
  probe: dev => {
    const [registers] = dev.registers;
    if (registers === undefined) return -EIO;
    const base = dev.services.ioremap(registers.start, registers.size);
    if (base === null) return -ENOMEM;
    const iommu = new SysmmuDevice(dev, new SysmmuHardware(dev, base));
    const result = iommu.start();
    if (result === 0) return iommu;
    dev.services.iounmap(base);
    return result;
  },
};
