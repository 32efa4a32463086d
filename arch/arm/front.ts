import { f64, i32 } from '../../drivers/base/types/arrays';
import { cpuAddr, hex } from '../../drivers/base/types/address';
import { alignDown } from '../../drivers/base/types/bits';
import { UnmodelledError } from '../../drivers/base/types/errors';
import { FaultKind } from '../../drivers/base/types/isa';
import type { FaultRecord, Vectors } from '../../drivers/base/types/isa';
import type { Ram } from '../../drivers/base/hw/ram';
import { TraceKind } from '../../drivers/base/hw/trace';
import type { Trace } from '../../drivers/base/hw/trace';
import type { DataCache } from './cache/data-cache';
import type { MemoryModel } from './memory-model';
import { FAST_READ, FAST_WRITE, IS_CACHED, IS_RAM, MicroTlb } from './micro-tlb';
import {
  Cacheability,
  READ,
  USER_READ,
  USER_WRITE,
  WRITE,
  innerOf,
  isNormal,
  outerOf,
  withInner,
} from './mmu/attributes';
import type { Mmu } from './mmu/mmu';
import type { TlbEntry } from './mmu/tlb';
import type { CoreProfile } from './profile';
import { SCTLR } from './regs/sysreg';

export type Width = 1 | 2 | 4;

/** Where accesses that are not RAM go. An answer of read below zero is minus a TxResult. */
export interface IoBus {
  read(address: number, width: Width): number;
  /** Answers a TxResult, 0 for fine. */
  write(address: number, width: Width, value: number): number;
}

export interface FrontParts {
  readonly profile: CoreProfile;
  readonly mmu: Mmu;
  readonly cache: DataCache | null;
  readonly ram: Ram;
  readonly io: IoBus;
  readonly trace: Trace;
  /** Told when cached RAM becomes reachable through a virtual page; null: nobody asks. */
  readonly onCachedPage: ((frame: number, va: number) => void) | null;
  /** Stores to cached memory may take the fast path: the run delays none of them. */
  readonly fastStores: boolean;
}

const PAGE = 4096;
const WIDTH_MASK = [0, 0xff, 0xffff, 0, -1] as const;

/**
 * The part of a load or store that every memory model shares: translation and its faults,
 * rights, alignment, devices. RAM goes to the model. Faults are left in `fault`, offered to the
 * abort vector, and answered as 0 if it gives up.
 */
export class Front {
  readonly micro = new MicroTlb();
  readonly fault: FaultRecord = {
    kind: FaultKind.None,
    address: cpuAddr(0),
    write: false,
    level: 0,
  };
  vectors: Vectors | null = null;
  ioAccesses = 0;

  readonly #parts: FrontParts;
  #model: MemoryModel | null = null;

  constructor(parts: FrontParts) {
    this.#parts = parts;
  }

  /** The model needs the front's micro-TLB, and the front the model: joined after both exist. */
  attach(model: MemoryModel): void {
    this.#model = model;
  }

  get model(): MemoryModel {
    if (this.#model === null) throw new UnmodelledError('memory model', 'none attached');
    return this.#model;
  }

  load(va: number, width: Width): number {
    for (;;) {
      if (va % width !== 0) return this.#unalignedLoad(va, width);
      const slot = this.resolve(va, READ);
      if (slot < 0) {
        if (!this.#abort()) return 0;
        continue;
      }
      if ((i32(this.micro.tag, slot) & IS_RAM) === 0) return this.#ioLoad(va, slot, width);
      const offset = va - f64(this.micro.va, slot);
      const shift = (offset & 3) * 8;
      const mask = WIDTH_MASK[width] << shift;
      const word = this.model.loadWord(slot, offset >>> 2, mask);
      return width === 4 ? word : ((word & mask) >>> shift) & WIDTH_MASK[width];
    }
  }

  store(va: number, width: Width, value: number): void {
    for (;;) {
      if (va % width !== 0) {
        this.#unalignedStore(va, width, value);
        return;
      }
      const slot = this.resolve(va, WRITE);
      if (slot < 0) {
        if (!this.#abort()) return;
        continue;
      }
      if ((i32(this.micro.tag, slot) & IS_RAM) === 0) {
        this.#ioStore(va, slot, width, value);
        return;
      }
      const offset = va - f64(this.micro.va, slot);
      const shift = (offset & 3) * 8;
      const mask = WIDTH_MASK[width] << shift;
      this.model.storeWord(slot, offset >>> 2, value << shift, mask);
      return;
    }
  }

  /** The low half; the high half is left in the model's `high`. */
  load64(va: number): number {
    for (;;) {
      const slot = va % 8 === 0 ? this.resolve(va, READ) : this.#misaligned(va, false);
      if (slot >= 0) {
        const offset = va - f64(this.micro.va, slot);
        this.#mustBeRam(slot, va);
        return this.model.loadPair(slot, offset >>> 2);
      }
      if (!this.#abort()) return 0;
    }
  }

  store64(va: number, low: number, high: number): void {
    for (;;) {
      const slot = va % 8 === 0 ? this.resolve(va, WRITE) : this.#misaligned(va, true);
      if (slot >= 0) {
        const offset = va - f64(this.micro.va, slot);
        this.#mustBeRam(slot, va);
        this.model.storePair(slot, offset >>> 2, low, high);
        return;
      }
      if (!this.#abort()) return;
    }
  }

  /** An access with the rights of user mode. */
  userLoad(va: number): number {
    return this.#userMay(va, false) ? this.load(va, 4) : 0;
  }

  userStore(va: number, value: number): void {
    if (this.#userMay(va, true)) this.store(va, 4, value);
  }

  /**
   * The micro-TLB slot of an address, filled if need be; -1 with the fault recorded if the
   * address has no translation or the right is missing.
   */
  resolve(va: number, right: number): number {
    const { micro } = this;
    const slot = micro.slotOf(va);
    const offset = va - f64(micro.va, slot);
    if (!(offset >= 0 && offset < PAGE)) {
      const entry = this.#parts.mmu.translate(va);
      if (entry === null) {
        return this.#record(this.#parts.mmu.faultKind, va, right, this.#parts.mmu.faultLevel);
      }
      this.#fill(slot, va, entry);
    }
    if ((i32(micro.attributes, slot) & right) === 0) {
      const entry = this.#parts.mmu.translate(va);
      const domain = entry !== null && this.#parts.mmu.isDomainFault(entry);
      return this.#record(domain ? FaultKind.Domain : FaultKind.Permission, va, right, 0);
    }
    return slot;
  }

  /** As `resolve`, without rights and without a fault: -1 where nothing is mapped. */
  peek(va: number): number {
    const entry = this.#parts.mmu.peek(va);
    if (entry === null) return -1;
    const slot = this.micro.slotOf(va);
    this.#fill(slot, va, entry);
    return slot;
  }

  /** An instruction that this core does not have. */
  undefinedInstruction(): void {
    this.#record(FaultKind.Undefined, 0, READ, 0);
    this.#abort();
  }

  /** After a failed `resolve`: true to try again. */
  takeAbort(): boolean {
    return this.#abort();
  }

  #record(kind: FaultKind, va: number, right: number, level: number): number {
    this.fault.kind = kind;
    this.fault.address = cpuAddr(va);
    this.fault.write = (right & (WRITE | USER_WRITE)) !== 0;
    this.fault.level = level;
    this.#parts.trace.foldAddress(TraceKind.Fault, va, kind);
    return -1;
  }

  #abort(): boolean {
    if (this.vectors === null || !this.vectors.abort(this.fault)) return false;
    this.fault.kind = FaultKind.None;
    return true;
  }

  #fill(slot: number, va: number, entry: TlbEntry): void {
    const { micro } = this;
    const { ram, mmu, cache } = this.#parts;
    const page = alignDown(va, PAGE);
    const pa = entry.pa + (page - entry.va);
    const pfn = pa / PAGE;
    const frame = ram.frameOf(pfn);
    const attributes = this.#asThisCore(mmu.effectiveAttributes(entry));
    const cached = frame >= 0 && cache !== null && innerOf(attributes) !== Cacheability.none;
    const normal = isNormal(attributes);
    if (frame < 0 && normal && outerOf(attributes) !== Cacheability.none) {
      throw new UnmodelledError(
        'cacheable mapping of a device',
        `physical ${hex(pa)} is no RAM and is mapped as normal cacheable memory`,
      );
    }
    micro.va[slot] = page;
    micro.pa[slot] = pa;
    micro.attributes[slot] = attributes;
    micro.home[slot] = frame * 1024;
    const flags = this.#flagsOf(attributes, frame >= 0, cached && normal);
    micro.tag[slot] = flags;
    // Maintenance finds a line through any mapping of it, so these do not depend on cacheability.
    if (frame >= 0 && cache !== null) {
      const virtualPage = page / PAGE;
      const tagFrame = cache.virtual ? cache.virtualFrame(virtualPage) : frame;
      micro.tag[slot] = tagFrame * 1024 + flags;
      const indexPage = cache.virtual || cache.colours > 1 ? virtualPage : pfn;
      micro.index[slot] = (indexPage % 2 ** 20) << 10;
      if (cached && normal) this.#parts.onCachedPage?.(frame, page);
    }
  }

  #flagsOf(attributes: number, isRam: boolean, cached: boolean): number {
    if (!cached) return isRam ? IS_RAM : 0;
    const read = (attributes & READ) !== 0 ? FAST_READ : 0;
    const writeBack = innerOf(attributes) >= Cacheability.writeBack;
    const fast = writeBack && this.#parts.fastStores;
    const write = (attributes & WRITE) !== 0 && fast ? FAST_WRITE : 0;
    return IS_RAM | IS_CACHED | read | write;
  }

  /** What this core makes of the cacheability that the tables ask for. */
  #asThisCore(attributes: number): number {
    if (!isNormal(attributes)) return attributes;
    const { profile, mmu } = this.#parts;
    const inner = innerOf(attributes);
    if ((mmu.registers.sctlr & SCTLR.C) === 0) return withInner(attributes, Cacheability.none);
    if (inner === Cacheability.writeThrough && profile.writeThrough === 'non-cacheable') {
      return withInner(attributes, Cacheability.none);
    }
    if (inner === Cacheability.writeBackAllocate && profile.writeAllocate === 'never') {
      return withInner(attributes, Cacheability.writeBack);
    }
    return attributes;
  }

  #ioLoad(va: number, slot: number, width: Width): number {
    this.ioAccesses++;
    const address = f64(this.micro.pa, slot) + (va - f64(this.micro.va, slot));
    const value = this.#parts.io.read(address, width);
    this.#parts.trace.foldAddress(TraceKind.IoLoad, address, value);
    if (value < 0) {
      this.#record(FaultKind.External, va, READ, 0);
      this.#abort();
      return 0;
    }
    return width === 4 ? value | 0 : value;
  }

  #ioStore(va: number, slot: number, width: Width, value: number): void {
    this.ioAccesses++;
    const address = f64(this.micro.pa, slot) + (va - f64(this.micro.va, slot));
    this.model.beforeDeviceStore();
    const unsigned = width === 4 ? value >>> 0 : value & WIDTH_MASK[width];
    this.#parts.trace.foldAddress(TraceKind.IoStore, address, unsigned);
    if (this.#parts.io.write(address, width, unsigned) !== 0) {
      this.#record(FaultKind.External, va, WRITE, 0);
      this.#abort();
    }
  }

  #unalignedLoad(va: number, width: Width): number {
    if (!this.#mayBeUnaligned(va, false)) return 0;
    let value = 0;
    for (let i = 0; i < width; i++) value |= this.load(va + i, 1) << (i * 8);
    return width === 4 ? value : value & 0xffff;
  }

  #unalignedStore(va: number, width: Width, value: number): void {
    if (!this.#mayBeUnaligned(va, true)) return;
    for (let i = 0; i < width; i++) this.store(va + i, 1, (value >>> (i * 8)) & 0xff);
  }

  /** Normal memory of ARMv6 and later takes unaligned accesses, byte by byte; else a fault. */
  #mayBeUnaligned(va: number, write: boolean): boolean {
    const { profile, mmu } = this.#parts;
    const slot = this.resolve(va, write ? WRITE : READ);
    if (slot >= 0) {
      const old = profile.architecture === 'v4' || profile.architecture === 'v5';
      const strict = old || (mmu.registers.sctlr & SCTLR.A) !== 0;
      if (!strict && isNormal(i32(this.micro.attributes, slot))) return true;
      this.#misaligned(va, write);
    }
    this.#abort();
    return false;
  }

  #misaligned(va: number, write: boolean): number {
    return this.#record(FaultKind.Alignment, va, write ? WRITE : READ, 0);
  }

  #userMay(va: number, write: boolean): boolean {
    const right = write ? USER_WRITE : USER_READ;
    for (;;) {
      const slot = this.resolve(va, right);
      if (slot >= 0) return true;
      if (!this.#abort()) return false;
    }
  }

  #mustBeRam(slot: number, va: number): void {
    if ((i32(this.micro.tag, slot) & IS_RAM) !== 0) return;
    throw new UnmodelledError('64-bit access to a device', `at ${hex(va)}`);
  }
}
