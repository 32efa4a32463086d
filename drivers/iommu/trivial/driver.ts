import { probeMapped } from '../../base/kernel/device';
import type { Device, Driver } from '../../base/kernel/device';
import { EINVAL, ENOSYS } from '../../base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqReturn } from '../../base/kernel/irq';
import { ioRegisters } from '../../base/kernel/registers';
import type { IoRegisters } from '../../base/kernel/registers';
import { dmaAddr, hex } from '../../base/types/address';
import type { CpuAddr } from '../../base/types/address';
import { join64 } from '../../base/types/bits';
import { BenchError } from '../../base/types/errors';
import type {
  DomainType,
  FaultHandler,
  IommuDevice,
  IommuDomain,
  TableMemory,
} from '../../../mm/iommu/types';
import { TrivialTable } from './driver/table';
import { ENTRY_SPAN, FaultCause, STREAMS, StreamMode, TRIVIAL_IOMMU } from './regs';

/** Entries up to which each is invalidated for itself; more are invalidated with all others. */
const MOST_SINGLE = 8;
/** Reads of INV_STATUS after which the hardware has failed: each takes longer than a tenth of it. */
const MOST_READS = 1000;

const CAUSES: Readonly<Record<FaultCause, string>> = {
  [FaultCause.Abort]: 'abort',
  [FaultCause.Aperture]: 'beyond the aperture',
  [FaultCause.Translation]: 'translation',
  [FaultCause.Permission]: 'permission',
  [FaultCause.Walk]: 'external abort on walk',
};

const causeOf = (cause: number): string =>
  Object.entries(CAUSES).find(([number]) => Number(number) === cause)?.[1] ?? `cause ${cause}`;

/** A domain of this IOMMU; those without a table are all alike. */
class TrivialDomain implements IommuDomain {
  readonly type: DomainType;
  readonly ops: TrivialTable | null;

  constructor(type: DomainType, ops: TrivialTable | null) {
    this.type = type;
    this.ops = ops;
  }
}

/** The driver of one trivial IOMMU: domains are tables. */
export class TrivialIommuDevice implements IommuDevice {
  readonly name: string;
  readonly deferredFlush = true;
  readonly #dev: Device;
  readonly #regs: IoRegisters<typeof TRIVIAL_IOMMU>;
  /** By stream, what it is attached to. */
  readonly #attached = new Map<number, TrivialDomain>();
  #handler: FaultHandler = () => -ENOSYS;

  constructor(dev: Device, base: CpuAddr) {
    this.name = dev.name;
    this.#dev = dev;
    this.#regs = ioRegisters(TRIVIAL_IOMMU, dev.services.io, base);
  }

  /** Requests the interrupt, if the board has wired it, and turns the IOMMU on. 0 or an errno. */
  start(): number {
    const [irq] = this.#dev.irqs;
    const handler = (): IrqReturn => this.#interrupt();
    const shared = { shared: true };
    const result = irq?.domain.requestIrq(irq.hwirq, this.#dev.name, handler, shared) ?? 0;
    if (result !== 0) return result;
    this.#regs.CTRL.write({ ENABLE: 1 });
    if (irq !== undefined) this.#regs.IRQ_ENABLE.write({ FAULT: 1 });
    return 0;
  }

  onFault(handler: FaultHandler): void {
    this.#handler = handler;
  }

  streamOf(cells: readonly number[]): number {
    const [stream] = cells;
    return cells.length === 1 && stream !== undefined && stream < STREAMS ? stream : -EINVAL;
  }

  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null {
    if (type === 'blocked' || type === 'identity') return new TrivialDomain(type, null);
    const { PAGES } = this.#regs.APERTURE.read();
    const table = TrivialTable.make(this.#dev, memory, PAGES, (first, count) => {
      this.#flush(table, first, count);
    });
    return table === null ? null : new TrivialDomain(type, table);
  }

  domainFree(domain: IommuDomain): void {
    this.#mustBe(domain).ops?.free();
  }

  attach(number: number, domain: IommuDomain): number {
    const attached = this.#mustBe(domain);
    const { ops, type } = attached;
    if (ops !== null && !ops.isOf(this.#dev)) return -EINVAL;
    const stream = this.#regs.STREAM(number);
    // Nothing passes while the stream is half one domain's and half another's.
    stream.CTRL.write({ MODE: StreamMode.Abort });
    if (ops !== null) {
      stream.TABLE.write({ FRAME: ops.address / ENTRY_SPAN });
      stream.PAGES.write({ COUNT: ops.pages });
    }
    this.#attached.set(number, attached);
    this.#invalidateAll();
    if (ops !== null) stream.CTRL.write({ MODE: StreamMode.Translate });
    else if (type === 'identity') stream.CTRL.write({ MODE: StreamMode.Bypass });
    return 0;
  }

  /** A table was changed: for each stream that has it, its entries, one by one or with all. */
  #flush(table: TrivialTable | null, first: number, count: number): void {
    const streams = [...this.#attached].filter(([, { ops }]) => ops === table);
    if (streams.length * count > MOST_SINGLE) {
      this.#invalidateAll();
      return;
    }
    for (const [stream] of streams) {
      for (let page = first; page < first + count; page++) {
        this.#regs.INV_ENTRY.write({ STREAM: stream, PAGE: page });
        this.#regs.INV_CMD.write({ ONE: 1 });
        this.#complete();
      }
    }
  }

  #invalidateAll(): void {
    this.#regs.INV_CMD.write({ ALL: 1 });
    this.#complete();
  }

  /** Waits without sleeping: mappings end in interrupt handlers, too (readl_poll_timeout_atomic). */
  #complete(): void {
    for (let reads = 0; reads < MOST_READS; reads++) {
      if (this.#regs.INV_STATUS.read().BUSY === 0) return;
    }
    this.#dev.services.log.device('err', this.#dev, 'TLB invalidation timed out');
  }

  #interrupt(): IrqReturn {
    if (this.#regs.STATUS.read().FAULT === 0) return IRQ_NONE;
    const { STREAM, WRITE, CAUSE } = this.#regs.FAULT_INFO.read();
    const address = join64(this.#regs.FAULT_LO.read().value, this.#regs.FAULT_HI.read().value);
    this.#regs.STATUS.write({ FAULT: 1, MULTIPLE: 1 });
    const write = WRITE === 1;
    const cause = causeOf(CAUSE);
    if (this.#handler({ stream: STREAM, address: dmaAddr(address), write, cause }) !== 0) {
      const text = `${cause}, ${write ? 'write' : 'read'} of iova=${hex(address)}, stream ${STREAM}`;
      this.#dev.services.log.device('err', this.#dev, `Unhandled context fault: ${text}`);
    }
    return IRQ_HANDLED;
  }

  #mustBe(domain: IommuDomain): TrivialDomain {
    if (domain instanceof TrivialDomain) return domain;
    throw new BenchError(`${this.name}: a domain of another driver`);
  }
}

export const trivialIommuDriver: Driver<TrivialIommuDevice> = {
  name: 'trivial-iommu',
  compatible: ['dmabench,trivial-iommu'],
  /** Without an interrupt that the board has wired, nobody hears of faults. */
  probe: dev =>
    probeMapped(dev, base => {
      const iommu = new TrivialIommuDevice(dev, base);
      const result = iommu.start();
      return result === 0 ? iommu : result;
    }),
};
