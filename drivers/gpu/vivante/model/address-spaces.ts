import type { GuestErrorSink } from '../../../base/hw/device';
import type { RegisterFile } from '../../../base/hw/register-file';
import { UnmodelledError } from '../../../base/types/errors';
import { ADDRESS_SPACES, AsCommand, FaultMode } from '../regs';
import type { GC_LITE, MmuException } from '../regs';
import { MMUV1, PAGE } from '../regs/page-tables';
import type { FaultQueue } from './fault-queue';
import { Passes, WalkError } from './translation';
import type { Translation } from './translation';

/** Whoever reaches memory through the MMU, and what it waits for. */
export class Client {
  readonly name: string;
  /** Index in STATUS and EXCEPTION_ADDR. */
  readonly mmu: number;
  /** The address space that its access waits in; null: it does not wait. */
  waitsIn: number | null = null;
  /** What it waits for was given up: the access ends as a fault when it is made again. */
  isCancelled = false;

  constructor(name: string, mmu: number) {
    this.name = name;
    this.mmu = mmu;
  }
}

/** What becomes of an access: it goes to `physical`, to the safe address, or not at all. */
export type Routing = 'memory' | 'safe' | 'fault' | 'wait' | 'bus error';

export interface AddressSpacesParts {
  readonly name: string;
  readonly version: 1 | 2;
  readonly regs: RegisterFile<typeof GC_LITE>;
  readonly translation: Translation;
  readonly queue: FaultQueue;
  /** The MMU has an exception. */
  readonly onException: (client: Client, code: MmuException, address: number) => void;
  /** X_INTR may have changed. */
  readonly onIrq: () => void;
  /** Whoever waits may try again. */
  readonly onResume: () => void;
  /** The caches of the engines are to be flushed. */
  readonly onFlushCaches: () => void;
  readonly onGuestError: GuestErrorSink;
}

/** The fields of a LOCKADDR: a base, and the log2 of a size. */
const lockOf = (value: number): { readonly start: number; readonly size: number } => {
  const size = 2 ** Math.max(12, value % 64);
  return { start: value - (value % size), size };
};

/**
 * The GPU's addresses: its MMU, of version 1 or 2, and what happens where that has no answer. The latter
 * an address space can have otherwise than the hardware does it: see FaultMode, an extension.
 */
export class AddressSpaces {
  readonly #parts: AddressSpacesParts;
  /** Of X_AS_SELECT. */
  current = 0;
  /** Roots that are in force, by address space. */
  readonly tables = new Float64Array(ADDRESS_SPACES);
  /** Of the last routing to memory: where, and how many bytes on that holds. */
  physical = 0;
  span = 0;
  /** All that have ever waited. */
  readonly #clients = new Set<Client>();

  constructor(parts: AddressSpacesParts) {
    this.#parts = parts;
  }

  /** Where tables begin: what Translation asks. */
  rootOf(space: number): number {
    if (this.#parts.version === 2) return this.tables[space] ?? 0;
    return this.#engineTable() - (this.#engineTable() % PAGE);
  }

  /** Leaves what holds for the address in `physical` and `span`. */
  route(client: Client, address: number, write: boolean): Routing {
    if (this.#parts.version === 1) return this.#routeV1(client, address, write);
    this.span = PAGE - (address % PAGE);
    if (this.#parts.regs.MMU_CONTROL.ENABLE === 0) {
      this.physical = address;
      return 'memory';
    }
    const { current } = this;
    const space = this.#parts.regs.X_AS(current);
    const lock = lockOf(space.LOCKADDR.value);
    const isLocked = address >= lock.start && address - lock.start < lock.size;
    if (space.STATUS.LOCKED === 1 && isLocked) return this.#wait(client);
    const { translation } = this.#parts;
    const outcome = translation.translate(current, address, write);
    this.physical = translation.physical;
    if (outcome === Passes) return 'memory';
    return outcome === WalkError ? 'bus error' : this.#fault(client, outcome, address, write);
  }

  /** The state MMUV2_CONFIGURATION has given the address space that is selected another root. */
  setRoot(root: number): void {
    this.tables[this.current] = root;
    this.#parts.regs.X_AS(this.current).TABLE.value = root;
  }

  /** X_AS(index).COMMAND. */
  command(index: number, code: number): void {
    const { regs, translation, onFlushCaches } = this.#parts;
    const { TABLE, STATUS } = regs.X_AS(index);
    switch (code) {
      case AsCommand.Nop:
        break;
      case AsCommand.Update:
        this.tables[index] = TABLE.value;
        translation.flush(index);
        break;
      case AsCommand.Lock:
        STATUS.LOCKED = 1;
        break;
      case AsCommand.Unlock:
        STATUS.LOCKED = 0;
        this.#resume(index, false);
        break;
      case AsCommand.FlushPt:
        this.#flush(index);
        break;
      case AsCommand.FlushMem:
        this.#flush(index);
        onFlushCaches();
        break;
      default:
        this.#resume(index, code === AsCommand.ResumeTerminate);
    }
  }

  /** X_REPLAY, a bit for each address space: what waits is tried again, or given up. */
  replay(retried: number, cancelled: number): void {
    for (let index = 0; index < ADDRESS_SPACES; index++) {
      if (((cancelled >>> index) & 1) === 1) this.#resume(index, true);
      else if (((retried >>> index) & 1) === 1) this.#resume(index, false);
    }
  }

  /** As on reset: nobody waits any more. */
  reset(): void {
    for (const client of this.#clients) {
      client.waitsIn = null;
      client.isCancelled = false;
    }
    this.#clients.clear();
    this.tables.fill(0);
    this.current = 0;
  }

  #resume(index: number, isCancelled: boolean): void {
    this.#parts.regs.X_AS(index).STATUS.WAITING = 0;
    for (const client of this.#clients) {
      if (client.waitsIn !== index) continue;
      client.waitsIn = null;
      client.isCancelled = isCancelled;
    }
    this.#parts.onResume();
  }

  #flush(index: number): void {
    const { regs, translation } = this.#parts;
    const { LOCKADDR, STATUS } = regs.X_AS(index);
    const { start, size } = lockOf(LOCKADDR.value);
    if (STATUS.LOCKED === 1) translation.flush(index, start, size);
    else translation.flush(index);
  }

  #fault(client: Client, code: MmuException, address: number, write: boolean): Routing {
    const { regs, translation, queue } = this.#parts;
    const { FAULT_CTRL, FAULT_STATUS, FAULT_ADDRESS } = regs.X_AS(this.current);
    const mode = this.#modeFor(FAULT_CTRL.MODE, address);
    if (mode === FaultMode.Native && !translation.raises) return 'safe';
    FAULT_STATUS.CODE = code;
    FAULT_STATUS.WRITE = write ? 1 : 0;
    FAULT_STATUS.MMU = client.mmu;
    FAULT_ADDRESS.value = address;
    if (mode === FaultMode.SafePage) return 'safe';
    if (mode === FaultMode.Native || mode === FaultMode.Terminate || client.isCancelled) {
      client.isCancelled = false;
      this.#parts.onException(client, code, address);
      return 'fault';
    }
    if (mode === FaultMode.Stall) regs.X_INTR.STALLED = 1;
    else queue.push({ space: this.current, code, write, address, mmu: client.mmu });
    this.#parts.onIrq();
    return this.#wait(client);
  }

  /** Grow is Replay within the heap, and Terminate outside. */
  #modeFor(mode: number, address: number): number {
    if (mode !== FaultMode.Grow) return mode;
    const { HEAP_BASE, HEAP_SIZE } = this.#parts.regs.X_AS(this.current);
    const isHeap = address >= HEAP_BASE.value && address - HEAP_BASE.value < HEAP_SIZE.value;
    return isHeap ? FaultMode.Replay : FaultMode.Terminate;
  }

  #wait(client: Client): Routing {
    client.waitsIn = this.current;
    this.#clients.add(client);
    this.#parts.regs.X_AS(this.current).STATUS.WAITING = 1;
    return 'wait';
  }

  /** The linear window has no tables at all; above it all addresses lead somewhere. */
  #routeV1(client: Client, address: number, write: boolean): Routing {
    const { regs, translation } = this.#parts;
    if (address < MMUV1.PAGED_BASE) {
      const isFrontEnd = client.mmu === 0;
      const base = isFrontEnd ? regs.MEMORY_BASE_ADDR_FE.value : this.#engineBase();
      this.span = MMUV1.PAGED_BASE - address;
      this.physical = base + address;
      return 'memory';
    }
    const outcome = translation.translate(0, address, write);
    this.physical = translation.physical;
    this.span = translation.span;
    return outcome === WalkError ? 'bus error' : 'memory';
  }

  #engineBase(): number {
    const { MEMORY_BASE_ADDR_PE, MEMORY_BASE_ADDR_TX, MEMORY_BASE_ADDR_RA } = this.#parts.regs;
    return this.#oneOf('MEMORY_BASE_ADDR', [
      MEMORY_BASE_ADDR_PE.value,
      MEMORY_BASE_ADDR_TX.value,
      MEMORY_BASE_ADDR_RA.value,
    ]);
  }

  #engineTable(): number {
    const { MMU_FE_PAGE_TABLE, MMU_PE_PAGE_TABLE, MMU_TX_PAGE_TABLE, MMU_RA_PAGE_TABLE } =
      this.#parts.regs;
    return this.#oneOf('PAGE_TABLE', [
      MMU_FE_PAGE_TABLE.value,
      MMU_PE_PAGE_TABLE.value,
      MMU_TX_PAGE_TABLE.value,
      MMU_RA_PAGE_TABLE.value,
    ]);
  }

  #oneOf(what: string, values: readonly number[]): number {
    const [first = 0] = values;
    if (values.some(value => value !== first)) {
      throw new UnmodelledError(`${this.#parts.name}: ${what}`, 'another for each engine');
    }
    return first;
  }
}
