import type { Device } from '../../drivers/base/kernel/device';
import { EINVAL, ENOSYS } from '../../drivers/base/kernel/errno';
import type { IrqReturn } from '../../drivers/base/kernel/irq';
import { dmaAddr } from '../../drivers/base/types/address';
import type {
  DomainType,
  FaultHandler,
  IommuDevice,
  IommuDomain,
  TableMemory,
} from '../iommu/types';
import { TableDomain } from './table-domain';
import type { TlbOwner } from './table-domain';
import type { TwoLevelFormat, TwoLevelTable } from './two-level';

/** The only one: all masters of such an IOMMU are alike to it. */
const STREAM = 0;

/**
 * A driver of an IOMMU that walks one table of two levels, for all masters that it has: what it does
 * to its hardware is a subclass's.
 */
export abstract class TableIommu implements IommuDevice, TlbOwner {
  readonly name: string;
  readonly deferredFlush = false;
  readonly dev: Device;
  readonly #format: TwoLevelFormat;
  #domain: TableDomain | null = null;
  #handler: FaultHandler = () => -ENOSYS;

  constructor(dev: Device, format: TwoLevelFormat) {
    this.name = dev.name;
    this.dev = dev;
    this.#format = format;
  }

  /** Requests the interrupts that the board has wired: 0 or an errno. */
  start(): number {
    const handler = (): IrqReturn => this.interrupt();
    for (const { domain, hwirq } of this.dev.irqs) {
      const result = domain.requestIrq(hwirq, this.name, handler, { shared: true });
      if (result !== 0) return result;
    }
    return 0;
  }

  onFault(handler: FaultHandler): void {
    this.#handler = handler;
  }

  streamOf(cells: readonly number[]): number {
    return cells.length === 0 ? STREAM : -EINVAL;
  }

  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null {
    return TableDomain.make(type, this.#format, this.dev, memory);
  }

  domainFree(domain: IommuDomain): void {
    TableDomain.of(domain).free();
  }

  attach(_stream: number, domain: IommuDomain): number {
    const attached = TableDomain.of(domain);
    if (this.#domain === attached) return 0;
    const added = attached.add(this);
    if (added !== 0) return added;
    this.disable();
    this.#domain?.remove(this);
    this.#domain = attached;
    return attached.table === null ? 0 : this.enable(attached.table.address);
  }

  abstract flushPages(start: number, size: number, pageSize: number): void;
  abstract flushAll(): void;

  /** Transactions pass from here on as they are. */
  protected abstract disable(): void;
  /** They are translated by the table at this address: 0 or an errno. It was disabled before. */
  protected abstract enable(table: number): number;
  protected abstract interrupt(): IrqReturn;

  protected get isAttached(): boolean {
    return this.#domain !== null;
  }

  /** What it walks; null where nothing is translated. */
  protected get table(): TwoLevelTable | null {
    return this.#domain?.table ?? null;
  }

  /** Tells of a fault: 0 if somebody handles it. */
  protected told(address: number, write: boolean, cause: string): number {
    return this.#handler({ stream: STREAM, address: dmaAddr(address), write, cause });
  }

  protected log(text: string): void {
    this.dev.services.log.device('err', this.dev, text);
  }
}
