import { probeMapped } from '../../base/kernel/device';
import type { Device, Driver, IrqResource } from '../../base/kernel/device';
import { EINVAL, ENOSYS } from '../../base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqHandler } from '../../base/kernel/irq';
import { dmaAddr } from '../../base/types/address';
import { BenchError } from '../../base/types/errors';
import { dmaBitMask, dmaSetMaskAndCoherent } from '../../../mm/dma-mapping-common';
import type {
  DomainType,
  FaultHandler,
  IommuDevice,
  IommuDomain,
  ReservedRegion,
  TableMemory,
} from '../../../mm/iommu/types';
import { disableBank, enableBank } from './driver/context';
import type { Context, KernelBuild } from './driver/context';
import { SmmuDomain } from './driver/domain';
import { causeOf, handleGlobalFault, readContextFault, sayContextFault } from './driver/faults';
import { probeFeatures } from './driver/features';
import type { SmmuFeatures, SmmuMatch } from './driver/features';
import { ANYTHING, SmmuRegisters } from './driver/registers';
import { StreamMap } from './driver/stream-map';
import { COMPATIBLE, StreamType } from './regs';

/** Where MSIs are mapped, by choice of software (MSI_IOVA_BASE, MSI_IOVA_LENGTH). */
const MSI_REGION: ReservedRegion = { type: 'sw-msi', start: 0x800_0000, length: 0x10_0000 };

/** What a node of the tree says, and how the kernel was built. */
export interface ArmSmmuOptions {
  /** The first string of COMPATIBLE that the node has. */
  readonly compatible: string;
  /** `#global-interrupts`: so many of its interrupts are not of contexts. */
  readonly globalInterrupts: number;
  /** `stream-match-mask`, for masters that do not give one. */
  readonly streamMatchMask: number;
  readonly build: KernelBuild;
}

const VERSION_1: SmmuMatch = { version: '1', isMmu500: false };
const MATCHES: Readonly<Record<string, SmmuMatch>> = {
  'arm,mmu-401': { version: '1-64k', isMmu500: false },
  'arm,mmu-500': { version: '2', isMmu500: true },
  'arm,smmu-v2': { version: '2', isMmu500: false },
  'qcom,smmu-v2': { version: '2', isMmu500: false },
};

/** The driver of one SMMU of version 1 or 2 (drivers/iommu/arm/arm-smmu/arm-smmu.c). */
export class ArmSmmuDevice implements IommuDevice {
  readonly name: string;
  readonly deferredFlush = true;
  readonly #dev: Device;
  readonly #regs: SmmuRegisters;
  readonly #features: SmmuFeatures;
  readonly #options: ArmSmmuOptions;
  readonly #streams: StreamMap;
  /** By context bank, whose it is. */
  readonly #domains: (SmmuDomain | null)[];
  /** Of those that have one, the handler of its interrupt. */
  readonly #handlers = new Map<SmmuDomain, IrqHandler>();
  #lastInterrupt = -1;
  #onFault: FaultHandler = () => -ENOSYS;

  constructor(dev: Device, regs: SmmuRegisters, features: SmmuFeatures, options: ArmSmmuOptions) {
    this.name = dev.name;
    this.#dev = dev;
    this.#regs = regs;
    this.#features = features;
    this.#options = options;
    this.#streams = new StreamMap(dev, regs, features);
    this.#domains = Array.from({ length: features.banks }, () => null);
  }

  /** Requests the global interrupts, if the board has wired them, and resets. 0 or an errno. */
  start(): number {
    const { globalInterrupts } = this.#options;
    const handler: IrqHandler = () =>
      handleGlobalFault(this.#dev, this.#regs) ? IRQ_HANDLED : IRQ_NONE;
    for (const irq of this.#dev.irqs) {
      if (indexOf(irq) >= globalInterrupts) continue;
      const name = 'arm-smmu global fault';
      const result = irq.domain.requestIrq(irq.hwirq, name, handler, { shared: true });
      if (result !== 0) return result;
    }
    this.#reset();
    return 0;
  }

  onFault(handler: FaultHandler): void {
    this.#onFault = handler;
  }

  streamOf(cells: readonly number[]): number {
    const [first, second] = cells;
    if (first === undefined || cells.length > 2) return -EINVAL;
    // One cell may have a mask above the id: both are as SMR has them.
    const mask = second ?? Math.floor(first / 2 ** 16) | this.#options.streamMatchMask;
    return this.#streams.claim({ id: first % 2 ** 16, mask });
  }

  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null {
    if (type === 'identity' || type === 'blocked') return SmmuDomain.plain(type);
    const bank = this.#freeBank();
    if (bank === null) return null;
    const interrupt = this.#interruptOf(bank);
    const domain = SmmuDomain.translating(type, {
      dev: this.#dev,
      regs: this.#regs,
      features: this.#features,
      build: this.#options.build,
      memory,
      bank,
      interrupt,
      isUnheard: this.#contextIrq(interrupt) === null,
    });
    if (domain?.context === undefined || domain.context === null) return null;
    this.#domains[bank] = domain;
    enableBank(this.#regs, domain.context, this.#features);
    this.#requestIrq(domain, domain.context);
    return domain;
  }

  reservedRegions(): readonly ReservedRegion[] {
    return [MSI_REGION];
  }

  /** Turns its bank off before its interrupt and its table go (arm_smmu_destroy_domain_context). */
  domainFree(domain: IommuDomain): void {
    const freed = this.#mustBe(domain);
    const { context } = freed;
    if (context !== null) {
      disableBank(this.#regs, context.bank);
      const handler = this.#handlers.get(freed);
      const irq = this.#contextIrq(context.interrupt);
      if (handler !== undefined) irq?.domain.freeIrq(irq.hwirq, handler);
      this.#handlers.delete(freed);
      this.#domains[context.bank] = null;
    }
    freed.free();
  }

  /** -EINVAL for a domain of another SMMU. */
  attach(stream: number, domain: IommuDomain): number {
    const { context, type } = this.#mustBe(domain);
    if (context === null) {
      const isIdentity = type === 'identity';
      this.#streams.route(stream, {
        type: isIdentity ? StreamType.Bypass : StreamType.Fault,
        bank: 0,
      });
      return 0;
    }
    if (this.#domains[context.bank] !== domain) return -EINVAL;
    this.#streams.route(stream, { type: StreamType.Translate, bank: context.bank });
    return 0;
  }

  /**
   * Whether faults of this domain stall what causes them, for whoever handles them and resumes
   * (adreno_smmu_priv.set_stall).
   */
  setStall(domain: IommuDomain, isStalling: boolean): void {
    const { context } = this.#mustBe(domain);
    if (context === null) return;
    this.#regs.bank(context.bank).SCTLR.update({ CFCFG: isStalling ? 1 : 0 });
  }

  /** What has stalled is tried again, or ends (adreno_smmu_priv.resume_translation). */
  resume(domain: IommuDomain, how: 'retry' | 'terminate'): void {
    const { context } = this.#mustBe(domain);
    if (context === null) return;
    this.#regs.bank(context.bank).RESUME.write({ TERMINATE: how === 'terminate' ? 1 : 0 });
  }

  /** From whatever state firmware left it in (arm_smmu_device_reset). */
  #reset(): void {
    const { gr0 } = this.#regs;
    gr0.GFSR.write(gr0.GFSR.read().value);
    this.#streams.reset();
    for (let bank = 0; bank < this.#features.banks; bank++) {
      disableBank(this.#regs, bank);
      const { FSR } = this.#regs.bank(bank);
      FSR.write(FSR.read().value);
    }
    gr0.TLBIALLH.write(ANYTHING);
    gr0.TLBIALLNSNH.write(ANYTHING);
    if (this.#features.match.isMmu500) this.#resetMmu500();
    this.#regs.syncGlobal();
    gr0.CR0.update({
      CLIENTPD: 0,
      GFRE: 1,
      GFIE: 1,
      GCFGFRE: 1,
      GCFGFIE: 1,
      USFCFG: 1,
      VMIDPNE: 1,
      PTM: 1,
      FB: 0,
      BSU: 0,
    });
  }

  /** Turns the next-page prefetcher off, which several errata are about (arm_mmu500_reset). */
  #resetMmu500(): void {
    const { gr0 } = this.#regs;
    const unlock = gr0.IDR7.read().MAJOR >= 2 ? { CACHE_LOCK: 0 } : {};
    gr0.ACR.update({ ...unlock, SMTNMB_TLBEN: 1, S2CRB_TLBEN: 1 });
    for (let index = 0; index < this.#features.banks; index++) {
      const { ACTLR } = this.#regs.bank(index);
      ACTLR.update({ CPRE: 0 });
      if (ACTLR.read().CPRE === 0) continue;
      const { log } = this.#dev.services;
      log.once('arm_mmu500_reset', () => {
        const text = 'Failed to disable prefetcher for errata workarounds, check SACR.CACHE_LOCK';
        log.device('warn', this.#dev, text);
      });
    }
  }

  /** Those that have no stage 1 are for stage 2. */
  #freeBank(): number | null {
    const first = this.#features.stage1 ? this.#features.stage2Banks : 0;
    const bank = this.#domains.findIndex((domain, index) => index >= first && domain === null);
    return bank < 0 ? null : bank;
  }

  /** Version 2: that of the bank. Version 1: in turn. */
  #interruptOf(bank: number): number {
    if (this.#features.match.version === '2') return bank;
    const { globalInterrupts } = this.#options;
    const count = this.#dev.irqs.filter(irq => indexOf(irq) >= globalInterrupts).length;
    this.#lastInterrupt++;
    return count === 0 ? 0 : this.#lastInterrupt % count;
  }

  #contextIrq(interrupt: number): IrqResource | null {
    const wanted = this.#options.globalInterrupts + interrupt;
    return this.#dev.irqs.find(irq => indexOf(irq) === wanted) ?? null;
  }

  /** Without one that the board has wired, nobody hears of its faults. */
  #requestIrq(domain: SmmuDomain, { bank, interrupt }: Context): void {
    const irq = this.#contextIrq(interrupt);
    if (irq === null) return;
    const handler: IrqHandler = () => (this.#contextFault(bank) ? IRQ_HANDLED : IRQ_NONE);
    const name = 'arm-smmu-context-fault';
    const result = irq.domain.requestIrq(irq.hwirq, name, handler, { shared: true });
    if (result === 0) {
      this.#handlers.set(domain, handler);
      return;
    }
    const text = `failed to request context IRQ ${interrupt} (${irq.hwirq})`;
    this.#dev.services.log.device('err', this.#dev, text);
  }

  /**
   * False if the bank has no fault (arm_smmu_context_fault). Who takes care of a fault resumes what
   * has stalled; else it ends.
   */
  #contextFault(bank: number): boolean {
    const fault = readContextFault(this.#regs, bank);
    if (fault === null) return false;
    const handled = this.#onFault({
      stream: this.#streams.groupOf(fault.stream) ?? 0,
      address: dmaAddr(fault.address),
      write: fault.write,
      cause: causeOf(fault),
    });
    if (handled === -ENOSYS) sayContextFault(this.#dev, bank, fault);
    const { FSR, RESUME } = this.#regs.bank(bank);
    FSR.write(fault.fsr);
    if (fault.isStalled && handled === -ENOSYS) RESUME.write({ TERMINATE: 1 });
    return true;
  }

  #mustBe(domain: IommuDomain): SmmuDomain {
    if (domain instanceof SmmuDomain) return domain;
    throw new BenchError(`${this.name}: a domain of another driver`);
  }
}

/** Its place among the `interrupts`. */
const indexOf = (irq: IrqResource): number => irq.index ?? 0;

export const armSmmuDriver = (options: ArmSmmuOptions): Driver<ArmSmmuDevice> => ({
  name: 'arm-smmu',
  compatible: COMPATIBLE,
  probe: dev =>
    probeMapped(dev, (base, size) => {
      const regs = new SmmuRegisters(dev, base);
      const match = MATCHES[options.compatible] ?? VERSION_1;
      const features = probeFeatures(dev, regs, match, size);
      if (typeof features === 'number') return features;
      if (dmaSetMaskAndCoherent(dev, dmaBitMask(features.paBits)) !== 0) {
        dev.services.log.device('warn', dev, 'failed to set DMA mask for table walker');
      }
      const smmu = new ArmSmmuDevice(dev, regs, features, options);
      const result = smmu.start();
      return result === 0 ? smmu : result;
    }),
});
