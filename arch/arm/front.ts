import { f64, i32 } from '../../drivers/base/types/arrays';
import { cpuAddr, hex } from '../../drivers/base/types/address';
import { PAGE_SIZE, alignDown } from '../../drivers/base/types/bits';
import { BenchError, UnmodelledError } from '../../drivers/base/types/errors';
import { FaultKind } from '../../drivers/base/types/isa';
import type { FaultRecord, Vectors } from '../../drivers/base/types/isa';
import type { AccessWidth } from '../../drivers/base/hw/mmio';
import { PAGE_WORDS } from '../../drivers/base/hw/ram';
import type { Ram } from '../../drivers/base/hw/ram';
import { TraceKind, ofCpu } from '../../drivers/base/hw/trace';
import type { Trace } from '../../drivers/base/hw/trace';
import { StateReader } from '../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../drivers/base/types/state';
import { memberState } from '../../drivers/base/hw/state-arrays';
import type { MemoryModel } from './memory-model';
import { FAST_READ, FAST_WRITE, IS_CACHED, IS_RAM, IS_TOLD, MicroTlb } from './micro-tlb';
import {
  Cacheability,
  READ,
  USER_READ,
  USER_WRITE,
  WRITE,
  innerOf,
  isNormal,
  outerOf,
} from './mmu/attributes';
import type { Mmu } from './mmu/mmu';
import type { TlbEntry } from './mmu/tlb';
import { is64Bit } from './profile';
import type { CoreProfile } from './profile';
import { SCTLR } from './regs/sysreg';

/**
 * Where accesses that are not RAM go, with the number of the CPU that makes them: some registers
 * are banked by it. An answer of read below zero is minus a TxResult.
 */
export interface CpuBus {
  read(address: number, width: AccessWidth, cpu: number): number;
  /** Answers a TxResult, 0 for fine. */
  write(address: number, width: AccessWidth, value: number, cpu: number): number;
}

/** How a cache names the lines of a page: see DataCache. */
export interface PageTags {
  tagWordOf(page: number, frame: number): number;
  indexWordOf(page: number, frame: number): number;
}

export interface FrontParts {
  /** The CPU's number. */
  readonly number: number;
  readonly profile: CoreProfile;
  readonly mmu: Mmu;
  readonly cache: PageTags | null;
  readonly ram: Ram;
  readonly io: CpuBus;
  readonly trace: Trace;
  /** Told when a page is put into a slot of the micro-TLB, its frame negative if it is no RAM. */
  readonly onPage: ((slot: number, frame: number, va: number) => void) | null;
  /**
   * Told before the translation of an address is looked up for the micro-TLB, with the right that
   * is asked for; true: of each access to the page. Null: nobody asks.
   */
  readonly onUse: ((va: number, right: number) => boolean) | null;
  /** Stores to cached memory may take the fast path: the run delays none of them. */
  readonly fastStores: boolean;
}

/** An access that its abort handler has run again this often will never succeed. */
const MAX_ABORTS = 1000;
const WIDTH_MASK = [0, 0xff, 0xffff, 0, -1] as const;

/**
 * The part of a load or store that every memory model shares: translation and its faults,
 * rights, alignment, devices. RAM goes to the model. Faults are left in `fault`, offered to the
 * abort vector, and answered as 0 if it gives up.
 */
export class Front implements Stateful {
  readonly micro = new MicroTlb();
  readonly fault: FaultRecord = {
    kind: FaultKind.None,
    address: cpuAddr(0),
    write: false,
    level: 0,
  };
  vectors: Vectors | null = null;
  ioAccesses = 0;
  /** The high half of the last 64-bit load. */
  high = 0;

  readonly #parts: FrontParts;
  #model: MemoryModel | null = null;
  /** Accesses that did not happen: their abort was taken, and not to be run again. */
  #skipped = 0;

  constructor(parts: FrontParts) {
    this.#parts = parts;
  }

  /** The model needs the front's micro-TLB, and the front the model: joined after both exist. */
  attach(model: MemoryModel): void {
    this.#model = model;
  }

  get model(): MemoryModel {
    if (this.#model === null) throw new BenchError('a front without a memory model');
    return this.#model;
  }

  load(va: number, width: AccessWidth): number {
    for (let aborts = 0; aborts < MAX_ABORTS; aborts++) {
      if (va % width !== 0) return this.#unalignedLoad(va, width);
      const slot = this.resolve(va, READ);
      if (slot >= 0 && (i32(this.micro.tag, slot) & IS_RAM) !== 0) {
        const offset = va - f64(this.micro.va, slot);
        const shift = (offset & 3) * 8;
        const mask = WIDTH_MASK[width] << shift;
        const word = this.model.loadWord(slot, offset >>> 2, mask);
        return width === 4 ? word : ((word & mask) >>> shift) & WIDTH_MASK[width];
      }
      const value = slot < 0 ? slot : this.#ioLoad(va, slot, width);
      if (value >= 0) return width === 4 ? value | 0 : value;
      if (!this.#abort()) return 0;
    }
    throw endless(va);
  }

  store(va: number, width: AccessWidth, value: number): void {
    for (let aborts = 0; aborts < MAX_ABORTS; aborts++) {
      if (va % width !== 0) {
        this.#unalignedStore(va, width, value);
        return;
      }
      const slot = this.resolve(va, WRITE);
      if (slot >= 0 && (i32(this.micro.tag, slot) & IS_RAM) !== 0) {
        const offset = va - f64(this.micro.va, slot);
        const shift = (offset & 3) * 8;
        this.model.storeWord(slot, offset >>> 2, value << shift, WIDTH_MASK[width] << shift);
        return;
      }
      if (slot >= 0 && this.#ioStore(va, slot, width, value)) return;
      if (!this.#abort()) return;
    }
    throw endless(va);
  }

  /** The low half; the high half is left in `high`. */
  load64(va: number): number {
    this.high = 0;
    if (va % 8 !== 0) {
      if (this.#mayBeUnaligned(va, false, this.#takesPairsAt(va)) < 0) return 0;
      const skipped = this.#skipped;
      const low = this.load(va, 4);
      const high = this.#skipped === skipped ? this.load(va + 4, 4) : 0;
      if (this.#skipped !== skipped) return 0;
      this.high = high;
      return low;
    }
    const slot = this.reach(va, READ);
    if (slot < 0) return 0;
    this.#mustBeRam(slot, va);
    const low = this.model.loadPair(slot, (va - f64(this.micro.va, slot)) >>> 2);
    this.high = this.model.high;
    return low;
  }

  store64(va: number, low: number, high: number): void {
    if (va % 8 !== 0) {
      if (this.#mayBeUnaligned(va, true, this.#takesPairsAt(va)) < 0) return;
      const skipped = this.#skipped;
      this.store(va, 4, low);
      if (this.#skipped === skipped) this.store(va + 4, 4, high);
      return;
    }
    const slot = this.reach(va, WRITE);
    if (slot < 0) return;
    this.#mustBeRam(slot, va);
    this.model.storePair(slot, (va - f64(this.micro.va, slot)) >>> 2, low, high);
  }

  /** An access with the rights of user mode, to every page that it touches. */
  userLoad(va: number): number {
    return this.#reachesAll(va, USER_READ) ? this.load(va, 4) : 0;
  }

  userStore(va: number, value: number): void {
    if (this.#reachesAll(va, USER_WRITE)) this.store(va, 4, value);
  }

  #reachesAll(va: number, right: number): boolean {
    return this.reach(va, right) >= 0 && (va % 4 === 0 || this.reach(va + 3, right) >= 0);
  }

  /** As `resolve`, with the abort vector taken on a fault: -1 once it gives up. */
  reach(va: number, right: number): number {
    for (let aborts = 0; aborts < MAX_ABORTS; aborts++) {
      const slot = this.resolve(va, right);
      if (slot >= 0 || !this.#abort()) return slot;
    }
    throw endless(va);
  }

  /**
   * The micro-TLB slot of an address, filled if need be; -1 with the fault recorded if the
   * address has no translation or the right is missing.
   */
  resolve(va: number, right: number): number {
    const { micro } = this;
    const slot = micro.slotOf(va);
    const offset = va - f64(micro.va, slot);
    if (!(offset >= 0 && offset < PAGE_SIZE)) {
      const isToldAlways = this.#parts.onUse?.(va, right) === true;
      const entry = this.#parts.mmu.translate(va);
      if (entry === null) {
        return this.#record(this.#parts.mmu.faultKind, va, right, this.#parts.mmu.faultLevel);
      }
      this.#fill(slot, va, entry, isToldAlways);
    } else if ((i32(micro.tag, slot) & IS_TOLD) !== 0) {
      this.#parts.onUse?.(va, right);
    }
    if ((i32(micro.attributes, slot) & right) === 0) {
      const entry = this.#parts.mmu.translate(va);
      const level = entry === null ? 0 : this.#parts.mmu.levelOf(entry);
      const domain = entry !== null && this.#parts.mmu.isDomainFault(entry);
      return this.#record(domain ? FaultKind.Domain : FaultKind.Permission, va, right, level);
    }
    return slot;
  }

  /**
   * As `resolve`, without rights and without a fault: -1 where nothing is mapped. It is no use of the
   * translation: the next access to the page looks it up, and is told, as if this had not been.
   */
  peek(va: number): number {
    const { micro } = this;
    const slot = micro.slotOf(va);
    const offset = va - f64(micro.va, slot);
    if (offset >= 0 && offset < PAGE_SIZE) return slot;
    const entry = this.#parts.mmu.peek(va);
    if (entry === null) return -1;
    this.#fill(slot, va, entry, false);
    micro.forget(slot);
    return slot;
  }

  /** An instruction that this core does not have. */
  undefinedInstruction(): void {
    this.#record(FaultKind.Undefined, 0, READ, 0);
    this.#abort();
  }

  /** The fault registers, the micro-TLB and counts; vectors are software's. */
  saveState(): StateValue {
    const { fault, ioAccesses, high } = this;
    return { fault: { ...fault }, ioAccesses, high, micro: this.micro.saveState() };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'a CPU');
    const fault = new StateReader(reader.value('fault'), 'the fault registers');
    this.fault.kind = memberState(FaultKind, fault.number('kind'), 'the fault registers');
    this.fault.address = cpuAddr(fault.number('address'));
    this.fault.write = fault.boolean('write');
    this.fault.level = fault.number('level');
    this.ioAccesses = reader.number('ioAccesses');
    this.high = reader.number('high');
    this.micro.restoreState(reader.value('micro'));
  }

  #record(kind: FaultKind, va: number, right: number, level: number): number {
    this.fault.kind = kind;
    this.fault.address = cpuAddr(va);
    this.fault.write = (right & (WRITE | USER_WRITE)) !== 0;
    this.fault.level = level;
    this.#parts.trace.foldAddress(ofCpu(TraceKind.Fault, this.#parts.number), va, kind);
    return -1;
  }

  #abort(): boolean {
    if (this.vectors === null || !this.vectors.abort(this.fault)) {
      this.#skipped++;
      return false;
    }
    this.fault.kind = FaultKind.None;
    return true;
  }

  #fill(slot: number, va: number, entry: TlbEntry, isTold: boolean): void {
    const { micro } = this;
    const { ram, mmu, cache } = this.#parts;
    const page = alignDown(va, PAGE_SIZE);
    const pa = entry.pa + (page - entry.va);
    const frame = ram.frameOf(pa / PAGE_SIZE);
    const attributes = mmu.effectiveAttributes(entry);
    const cached = frame >= 0 && cache !== null && innerOf(attributes) !== Cacheability.none;
    const normal = isNormal(attributes);
    const asked = innerOf(entry.attributes) | outerOf(entry.attributes);
    if (frame < 0 && normal && asked !== Cacheability.none) {
      throw new UnmodelledError(
        'cacheable mapping of a device',
        `physical ${hex(pa)} is no RAM and is mapped as normal cacheable memory`,
      );
    }
    micro.va[slot] = page;
    micro.pa[slot] = pa;
    micro.attributes[slot] = attributes;
    micro.home[slot] = frame * PAGE_WORDS;
    const fast = this.#flagsOf(attributes, frame >= 0, cached && normal);
    // A page each access to which is told: none of them may be fast.
    const flags = isTold ? (fast & ~(FAST_READ | FAST_WRITE)) | IS_TOLD : fast;
    micro.tag[slot] = flags;
    // Maintenance finds a line through any mapping of it, so these do not depend on cacheability.
    if (frame >= 0 && cache !== null) {
      const virtualPage = page / PAGE_SIZE;
      micro.tag[slot] = cache.tagWordOf(virtualPage, frame) + flags;
      micro.index[slot] = cache.indexWordOf(virtualPage, frame);
    }
    this.#parts.onPage?.(slot, frame, page);
  }

  #flagsOf(attributes: number, isRam: boolean, cached: boolean): number {
    if (!cached) return isRam ? IS_RAM : 0;
    const read = (attributes & READ) !== 0 ? FAST_READ : 0;
    const writeBack = innerOf(attributes) >= Cacheability.writeBack;
    const fast = writeBack && this.#parts.fastStores;
    const write = (attributes & WRITE) !== 0 && fast ? FAST_WRITE : 0;
    return IS_RAM | IS_CACHED | read | write;
  }

  /** The unsigned value, or -1 with the fault recorded. */
  #ioLoad(va: number, slot: number, width: AccessWidth): number {
    this.ioAccesses++;
    const { io, trace, number } = this.#parts;
    const address = f64(this.micro.pa, slot) + (va - f64(this.micro.va, slot));
    const value = io.read(address, width, number);
    trace.foldAddress(ofCpu(TraceKind.IoLoad, number), address, value);
    return value >= 0 ? value : this.#record(FaultKind.External, va, READ, 0);
  }

  /** False with the fault recorded. */
  #ioStore(va: number, slot: number, width: AccessWidth, value: number): boolean {
    this.ioAccesses++;
    const { io, trace, number } = this.#parts;
    const address = f64(this.micro.pa, slot) + (va - f64(this.micro.va, slot));
    this.model.beforeDeviceStore();
    const unsigned = width === 4 ? value >>> 0 : value & WIDTH_MASK[width];
    trace.foldAddress(ofCpu(TraceKind.IoStore, number), address, unsigned);
    if (io.write(address, width, unsigned, number) === 0) return true;
    this.#record(FaultKind.External, va, WRITE, 0);
    return false;
  }

  #unalignedLoad(va: number, width: AccessWidth): number {
    if (this.#mayBeUnaligned(va, false, true) < 0) return 0;
    const skipped = this.#skipped;
    let value = 0;
    for (let i = 0; i < width; i++) {
      value |= this.load(va + i, 1) << (i * 8);
      if (this.#skipped !== skipped) return 0;
    }
    return width === 4 ? value : value & 0xffff;
  }

  #unalignedStore(va: number, width: AccessWidth, value: number): void {
    const slot = this.#mayBeUnaligned(va, true, true);
    if (slot < 0) return;
    const offset = va - f64(this.micro.va, slot);
    if (offset + width <= PAGE_SIZE && (i32(this.micro.tag, slot) & IS_RAM) !== 0) {
      this.model.storeUnaligned(slot, offset, width, value);
      return;
    }
    const skipped = this.#skipped;
    for (let i = 0; i < width && this.#skipped === skipped; i++) {
      this.store(va + i, 1, (value >>> (i * 8)) & 0xff);
    }
  }

  /** Pairs of words need not be aligned to more than a word from ARMv6 on, in ARMv8 not at all. */
  #takesPairsAt(va: number): boolean {
    return va % 4 === 0 || is64Bit(this.#parts.profile);
  }

  /**
   * Normal memory of ARMv6 and later takes unaligned accesses, in pieces; anything else is an
   * alignment fault, and so is what the instruction does not permit. Answers the slot of the page,
   * below zero if the access is over. UnmodelledError where the
   * core would rotate what it loads.
   */
  #mayBeUnaligned(va: number, write: boolean, permitted: boolean): number {
    const right = write ? WRITE : READ;
    for (let aborts = 0; aborts < MAX_ABORTS; aborts++) {
      const isRefused = !permitted || this.#isAlignmentChecked(va);
      const slot = isRefused ? -1 : this.resolve(va, right);
      if (slot >= 0 && isNormal(i32(this.micro.attributes, slot))) return slot;
      if (slot >= 0 || isRefused) this.#record(FaultKind.Alignment, va, right, 0);
      if (!this.#abort()) return -1;
    }
    throw endless(va);
  }

  #isAlignmentChecked(va: number): boolean {
    const { profile, mmu } = this.#parts;
    const { sctlr } = mmu.registers;
    if ((sctlr & SCTLR.A) !== 0) return true;
    const { architecture } = profile;
    const isOld = architecture === 'v4' || architecture === 'v5';
    if (isOld || (architecture === 'v6' && (sctlr & SCTLR.U) === 0)) {
      const what = `at ${hex(va)}, with SCTLR.A clear${isOld ? '' : ' and SCTLR.U clear'}`;
      throw new UnmodelledError('rotating unaligned access', what);
    }
    return false;
  }

  #mustBeRam(slot: number, va: number): void {
    if ((i32(this.micro.tag, slot) & IS_RAM) !== 0) return;
    throw new UnmodelledError('64-bit access to a device', `at ${hex(va)}`);
  }
}

/** The abort handler says "again" for ever: a core would never get past this instruction. */
const endless = (va: number): UnmodelledError =>
  new UnmodelledError('endless abort', `${MAX_ABORTS} times in a row at ${hex(va)}`);
