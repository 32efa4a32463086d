import type { CurrentCpu } from '../../../drivers/base/kernel/current-cpu';
import type { Device } from '../../../drivers/base/kernel/device';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { offsetBy } from '../../../drivers/base/types/address';
import { vivanteDriver } from '../../../drivers/gpu/vivante/driver';
import type { Caching, Placement } from '../../../drivers/gpu/vivante/driver/backing';
import { USER_START } from '../../../drivers/gpu/vivante/driver/context';
import type { GpuContext } from '../../../drivers/gpu/vivante/driver/context';
import type { GemObject } from '../../../drivers/gpu/vivante/driver/gem';
import type { VivanteGpu } from '../../../drivers/gpu/vivante/driver/gpu';
import { boundBy } from '../../../machines/bound';
import type { Kernel } from '../../../machines/kernel';
import type { Machine } from '../../../machines/machine';
import { AbortCase } from '../suite';
import { aliasIsHarmless, withoutSharedPages } from '../driver-bench';

/** Longer than any job of a suite takes, in simulated ns; a hang is found by then (500 ms). */
const LIMIT = 500_000_000;

/** An object that a client has at an address of its own. */
export interface Placed {
  readonly object: GemObject;
  /** Where the GPU has it. */
  readonly va: number;
}

/** Why a machine has no GPU to run on, or null. */
export const withoutGpu = (machine: Machine): string | null =>
  boundBy(machine, vivanteDriver).length === 0 ? 'no GPU: see machines/boards/overlays' : null;

/** Why no memory can be accessed past the caches here, or null. */
export const withoutUncached = (machine: Machine): string | null => {
  const [gpu] = boundBy(machine, vivanteDriver);
  return gpu?.dev.dma.coherent === true ? null : withoutSharedPages(machine);
};

/** One client of the first GPU, with an address space, and the kernel that serves it. */
export class GpuBench {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly cpu: CurrentCpu;
  readonly gpu: VivanteGpu;
  readonly dev: Device;
  readonly context: GpuContext;
  #next = USER_START;
  readonly #placed: Placed[] = [];

  private constructor(machine: Machine, gpu: VivanteGpu, context: GpuContext) {
    this.machine = machine;
    this.kernel = machine.kernel;
    this.cpu = machine.kernel.cpu;
    this.gpu = gpu;
    this.dev = gpu.dev;
    this.context = context;
  }

  static on(machine: Machine): GpuBench {
    const [gpu] = boundBy(machine, vivanteDriver);
    const context = gpu?.createContext('client') ?? null;
    if (gpu === undefined || context === null) throw new AbortCase('no GPU');
    return new GpuBench(machine, gpu, context);
  }

  /**
   * Where scattered pages come from that are accessed past the caches: highmem, where a cacheable mapping
   * beside theirs would do harm.
   */
  get placement(): Placement {
    return aliasIsHarmless(this.machine) ? 'pages' : 'highmem';
  }

  /** An object whose memory is there, and where this client has it. */
  place(size: number, caching: Caching, placement: Placement = this.placement): Placed {
    const object = this.gpu.createObject({ size, placement, caching });
    if (typeof object === 'number') throw new AbortCase('an object');
    if (object.pin() !== 0) throw new AbortCase('memory for an object');
    const va = this.#next;
    this.#next += object.size;
    const bound = this.context.bind({ start: va, size: object.size, offset: 0 }, object);
    if (bound !== 0) throw new AbortCase('tables for an object');
    const placed = { object, va };
    this.#placed.push(placed);
    return placed;
  }

  /** How the CPU sees it changes, and where this client has it does not. */
  recache({ object, va }: Placed, caching: Caching): void {
    this.context.unbind({ start: va, size: object.size });
    if (object.setCaching(caching) !== 0) throw new AbortCase(`${object.name} to be ${caching}`);
    const bound = this.context.bind({ start: va, size: object.size, offset: 0 }, object);
    if (bound !== 0) throw new AbortCase('tables for an object');
  }

  /** Runs a stream to its end: 0, or a negative errno if it was refused or did not end. */
  run(words: readonly number[], limit = LIMIT): number {
    const refused = this.gpu.submit(this.context, words, () => undefined);
    return refused === 0 ? this.gpu.waitIdle(limit) : refused;
  }

  load(address: CpuAddr, offset: number): number {
    return this.cpu.load32(offsetBy(address, offset)) >>> 0;
  }

  store(address: CpuAddr, offset: number, value: number): void {
    this.cpu.store32(offsetBy(address, offset), value);
  }

  /** Gives all objects back. The GPU is idle, or has been reset. */
  release(): void {
    for (const { object, va } of this.#placed.splice(0)) {
      this.context.unbind({ start: va, size: object.size });
      object.unpin();
      object.put();
    }
  }

  /** Gives everything back. */
  close(): void {
    this.release();
    if (this.gpu.retire(this.context) !== 0) throw new AbortCase('an idle GPU');
  }
}
