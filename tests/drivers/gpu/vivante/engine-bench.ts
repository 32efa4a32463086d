import { invariant } from '../../../../drivers/base/types/errors';
import { createEngines } from '../../../../drivers/gpu/vivante/model/engines';
import type {
  Access,
  CacheMismatch,
  GpuMemory,
  GpuUnit,
  Progress,
  UnitWork,
} from '../../../../drivers/gpu/vivante/model/unit';
import { GC_STATES } from '../../../../drivers/gpu/vivante/regs/states';
import {
  bytesPerPixel,
  offsetOf,
  packPixel,
  unpackPixel,
} from '../../../../drivers/gpu/vivante/regs/surface';
import type { Surface } from '../../../../drivers/gpu/vivante/regs/surface';
import type { StateValue } from '../../../../drivers/base/types/state';

const MEMORY_BYTES = 0x10_0000;

/** The engines with memory that is nothing but bytes, and accesses that wait or fault when a test says so. */
export class EngineBench implements GpuMemory {
  readonly bytes = new Uint8Array(MEMORY_BYTES);
  readonly mismatches: CacheMismatch[] = [];
  readonly guestErrors: string[] = [];
  readonly units: readonly GpuUnit[];
  /** What becomes of the next accesses, in place of being made. */
  hindrance: (address: number, isWrite: boolean) => Access = () => 'ok';
  accesses = 0;

  constructor(isChecked = false) {
    const { units } = createEngines({
      memory: this,
      isChecked,
      onMismatch: mismatch => this.mismatches.push(mismatch),
      onGuestError: text => this.guestErrors.push(text),
    });
    this.units = units;
  }

  read(address: number, length: number, into: Uint8Array, at: number): Access {
    this.accesses++;
    const access = this.hindrance(address, false);
    if (access === 'ok') into.set(this.bytes.subarray(address, address + length), at);
    return access;
  }

  write(address: number, length: number, from: Uint8Array, at: number): Access {
    this.accesses++;
    const access = this.hindrance(address, true);
    if (access === 'ok') this.bytes.set(from.subarray(at, at + length), address);
    return access;
  }

  unit(name: string): GpuUnit {
    const unit = this.units.find(candidate => candidate.name === name);
    invariant(unit !== undefined, `no unit ${name}`);
    return unit;
  }

  /** LOAD_STATE; work that it starts is done at once. */
  load(unit: string, offset: number, value: number): Progress | 'loaded' | 'illegal' {
    return this.finish(this.unit(unit).load(offset, value));
  }

  draw(unit: string, ...words: number[]): Progress | 'illegal' | 'loaded' {
    return this.finish(this.unit(unit).draw({ opcode: (words[0] ?? 0) >>> 27, words }));
  }

  flush(name: 'COLOR' | 'TEXTURE' | 'PE2D'): void {
    const bits = GC_STATES.registers.FLUSH_CACHE.fields[name].at(1);
    for (const unit of this.units) this.finish(unit.flush(bits) ?? 'loaded');
  }

  /** Work that waits is tried again, as a front end does. */
  finish(work: UnitWork | 'loaded' | 'illegal'): Progress | 'loaded' | 'illegal' {
    if (typeof work === 'string') return work;
    invariant(Number.isInteger(work.nanoseconds) && work.nanoseconds >= 1, 'work takes time');
    for (let tries = 0; tries < 100_000; tries++) {
      const progress = work.run();
      if (progress !== 'wait') return progress;
    }
    throw new Error('work never ends');
  }

  /** 0xAARRGGBB of a pixel in memory. */
  pixel(surface: Surface, x: number, y: number): number {
    const at = surface.address + offsetOf(surface, x, y);
    let stored = 0;
    for (let byte = 0; byte < bytesPerPixel(surface.channels); byte++) {
      stored |= (this.bytes[at + byte] ?? 0) << (8 * byte);
    }
    return unpackPixel(surface.channels, stored) >>> 0;
  }

  /** Puts a pixel into memory, as a CPU would. */
  poke(surface: Surface, x: number, y: number, argb: number): void {
    const at = surface.address + offsetOf(surface, x, y);
    const stored = packPixel(surface.channels, argb);
    for (let byte = 0; byte < bytesPerPixel(surface.channels); byte++) {
      this.bytes[at + byte] = stored >>> (8 * byte);
    }
  }

  saveState(): StateValue[] {
    return this.units.map(unit => unit.saveState());
  }
}
