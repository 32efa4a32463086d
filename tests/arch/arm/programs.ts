import type { Cpu } from '../../../arch/arm/cpu';
import type { CoreProfile } from '../../../arch/arm/profile';
import type { DmaPort } from '../../../drivers/base/hw/dma-port';
import { dmaAddr } from '../../../drivers/base/types/address';
import { CacheOp, FaultKind, TlbOp } from '../../../drivers/base/types/isa';
import type { Random } from '../../../drivers/base/types/random';
import type { Complex } from '../../../arch/arm/complex-parts';
import type { MachineOf } from './machine';
import type { Memory } from './tables';

/**
 * Every call that the rules of DMA ask for, by name: a program can be run without one of them.
 * `none` runs it as it should be.
 */
export const CALLS = [
  'clean',
  'invalidate before',
  'invalidate after',
  'dsb after maintenance',
  'outer clean',
  'outer invalidate before',
  'outer invalidate after',
  'outer sync',
  'barrier before the doorbell',
  'barrier after completion',
  'barrier when a page changes hands',
] as const;
export type Call = (typeof CALLS)[number];

/** One step of a program as four numbers below 2^16; any numbers are a step. */
export type Op = readonly [kind: number, page: number, place: number, value: number];

export const randomOps = (random: Random, count: number): Op[] => {
  const number = (): number => random.below(0x1_0000);
  return Array.from({ length: count }, () => [number(), number(), number(), number()]);
};

/**
 * Random steps, most of them on one page that is not cached: it is read, given to the device,
 * and read again. What was read early is seen seldom among anything else.
 */
export const receivingOps = (random: Random, count: number): Op[] =>
  Array.from({ length: count }, (_, n): Op => {
    const value = random.below(0x1_0000);
    if (n % 8 === 4) return [21, 2, 0, value | 16];
    return n % 8 < 4 ? [9, 2, random.below(GRANULE / 8), value] : [9, 0, value, value];
  });

/** Bytes of each page that a program uses, and what a transfer is a multiple of. */
const AREA = 768;
const GRANULE = 128;
const WHOLE = { start: 0, length: AREA } as const;

interface Range {
  readonly start: number;
  readonly length: number;
}

/** A transfer from the device that is under way. */
interface Inbound extends Range {
  readonly data: Uint8Array;
  readonly late: boolean;
}

interface Page {
  readonly memory: Memory;
  readonly va: number;
  readonly pa: number;
  readonly flat: Uint8Array;
  owner: number;
  inbound: Inbound | null;
}

/** What a core's pages can be mapped as. */
const memoriesOf = ({ tables, l1d }: CoreProfile): readonly Memory[] => {
  if (tables.length > 0) return ['cached', 'cached', 'non-cached', 'cached', 'write-through'];
  return l1d === null ? ['non-cached', 'non-cached'] : ['cached', 'cached', 'cached'];
};

/**
 * A program on a machine beside a flat memory. Each page belongs to one CPU, each granule to it
 * or to the device; whoever takes it over does what the rules ask for, but for the call `without`.
 */
export class ProgramRun {
  /** The first difference between the machine and flat memory; null while there is none. */
  difference: string | null = null;
  readonly #machine: MachineOf<Complex>;
  readonly #without: Call | 'none';
  readonly #pages: readonly Page[];
  readonly #plain: DmaPort;
  readonly #snooping: DmaPort | null;
  readonly #line: number;
  #step = 0;

  constructor(machine: MachineOf<Complex>, without: Call | 'none' = 'none') {
    this.#machine = machine;
    this.#without = without;
    this.#line = machine.profile.l1d?.line ?? 32;
    this.#plain = machine.port(false);
    this.#snooping = machine.profile.snoopPort === 'none' ? null : machine.port(true);
    this.#pages = memoriesOf(machine.profile).map((memory, n) => ({
      memory,
      va: machine.page(n, memory),
      pa: machine.pageAt(n),
      flat: new Uint8Array(AREA),
      owner: n % machine.cpus.length,
      inbound: null,
    }));
  }

  /**
   * Runs the steps, then reads every byte by CPU and device. The first difference or null; `end`:
   * what comes after the first is run all the same.
   */
  run(ops: readonly Op[], until: 'first difference' | 'end' = 'first difference'): string | null {
    for (const op of ops) {
      this.#one(op);
      this.#step++;
      if (this.difference !== null && until === 'first difference') return this.difference;
    }
    for (const page of this.#pages) {
      this.#finish(page);
      for (let at = 0; at < AREA; at += 4) this.#load(page, at, 4);
      this.#toDevice(page, WHOLE, this.#plain);
    }
    for (const { number, fault } of this.#machine.cpus) {
      if (fault.kind !== FaultKind.None) this.#differs(`CPU ${number} has fault ${fault.kind}`);
    }
    return this.difference;
  }

  #one([kind, which, place, value]: Op): void {
    const page = this.#pages[which % this.#pages.length];
    if (page === undefined) return;
    const action = kind % 32;
    if (action < 9) this.#store(page, place, value);
    else if (action < 18) this.#loadSome(page, place, value);
    else if (action < 21) this.#toDevice(this.#owned(page), rangeOf(place, value), this.#plain);
    else if (action < 25) this.#start(page, rangeOf(place, value), value);
    else if (action === 25) this.#finish(page);
    else if (action === 26) this.#migrate(page, value);
    else if (action === 27) this.#coherent(page, rangeOf(place, value), value);
    else this.#harmless(page, place, value);
  }

  #cpuOf(page: Page): Cpu {
    return this.#machine.cpus[page.owner] ?? this.#machine.cpu;
  }

  /** The page with nothing of it in the device's hands. */
  #owned(page: Page): Page {
    this.#finish(page);
    return page;
  }

  /** Where an access goes: aligned, or anywhere on cores that take that. */
  #placeOf(page: Page, place: number, width: number, value: number): number {
    const { architecture } = this.#machine.profile;
    const mayBeOdd = architecture !== 'v4' && architecture !== 'v5' && (value & 0x700) === 0;
    const step = mayBeOdd ? (width === 8 ? 4 : 1) : width;
    const at = (place % (AREA / 8)) * 8 + ((place >>> 7) % (8 / step)) * step;
    const offset = Math.min(at, AREA - width);
    const { inbound } = page;
    const isTheirs =
      inbound !== null && offset < inbound.start + inbound.length && offset + width > inbound.start;
    if (isTheirs) this.#finish(page);
    return offset;
  }

  #store(page: Page, place: number, value: number): void {
    const cpu = this.#cpuOf(page);
    const width = 1 << (value & 3);
    const at = this.#placeOf(page, place, width, value);
    const low = Math.imul(value + this.#step, 0x9e37_79b1);
    const high = Math.imul(low, 0x85eb_ca6b);
    // A store that misses does not allocate everywhere: every other one finds its line present.
    if ((value & 4) !== 0) this.#load(page, at - (at % 4), 4);
    if (width === 1) cpu.store8(page.va + at, low);
    else if (width === 2) cpu.store16(page.va + at, low);
    else if (width === 4) cpu.store32(page.va + at, low);
    else cpu.store64(page.va + at, low, high);
    const view = new DataView(new ArrayBuffer(8));
    view.setInt32(0, low, true);
    view.setInt32(4, high, true);
    for (let i = 0; i < width; i++) page.flat[at + i] = view.getUint8(i);
  }

  #loadSome(page: Page, place: number, value: number): void {
    const width = 1 << (value & 3);
    this.#load(page, this.#placeOf(page, place, width, value), width);
  }

  #load(page: Page, at: number, width: number): void {
    const cpu = this.#cpuOf(page);
    const view = new DataView(page.flat.buffer);
    const address = page.va + at;
    if (width === 1) this.#expect(page, at, cpu.load8(address), view.getUint8(at));
    else if (width === 2) this.#expect(page, at, cpu.load16(address), view.getUint16(at, true));
    else this.#expect(page, at, cpu.load32(address), view.getInt32(at, true));
    if (width !== 8) return;
    this.#expect(page, at, cpu.load64(address), view.getInt32(at, true));
    this.#expect(page, at + 4, cpu.high, view.getInt32(at + 4, true));
  }

  /** The device reads a range of which the CPU is done writing. */
  #toDevice(page: Page, range: Range, port: DmaPort): void {
    if (port === this.#plain) this.#give(page, range, 'clean', CacheOp.CVAC);
    else this.#barrier(page);
    const read = new Uint8Array(range.length);
    this.#machine.onDoorbell = () => {
      port.read(dmaAddr(page.pa + range.start), range.length, read);
    };
    this.#machine.ring(this.#cpuOf(page), 1);
    const wrong = read.findIndex((byte, i) => byte !== page.flat[range.start + i]);
    if (wrong < 0) return;
    const at = range.start + wrong;
    this.#differs(`the device reads ${read[wrong]} at +${at} of a ${page.memory} page`);
  }

  /** The device is given a range to write; it does so at the doorbell, or when it is done. */
  #start(page: Page, range: Range, value: number): void {
    this.#finish(page);
    const op = (value & 8) !== 0 ? CacheOp.IVAC : CacheOp.CIVAC;
    this.#give(page, range, 'invalidate before', op);
    const data = new Uint8Array(range.length).map((_, i) => Math.imul(value + i, 0x6d) >>> 3);
    const late = (value & 16) !== 0;
    this.#machine.onDoorbell = () => {
      if (!late) this.#plain.write(dmaAddr(page.pa + range.start), range.length, data);
    };
    page.inbound = { ...range, data, late };
    this.#machine.ring(this.#cpuOf(page), 2);
  }

  /** The device is done: the CPU takes the range back. */
  #finish(page: Page): void {
    const { inbound } = page;
    if (inbound === null) return;
    page.inbound = null;
    const { start, length, data, late } = inbound;
    if (late) this.#plain.write(dmaAddr(page.pa + start), length, data);
    page.flat.set(data, start);
    const cpu = this.#cpuOf(page);
    if (!isCached(page)) {
      this.#call('barrier after completion', () => {
        readBarrier(cpu);
      });
      return;
    }
    // Linux does this on every core from ARMv6 on; it is needed where the core speculates.
    if (!this.#machine.profile.speculativeFill) return;
    this.#outer(cpu, page, inbound, 'outer invalidate after', 'INV_PA');
    this.#call('invalidate after', () => {
      this.#byLine(cpu, page, inbound, CacheOp.IVAC);
    });
    this.#call('dsb after maintenance', () => {
      cpu.dsb();
    });
  }

  /** A range goes to a device that does not snoop. */
  #give(page: Page, range: Range, call: 'clean' | 'invalidate before', op: CacheOp): void {
    const cpu = this.#cpuOf(page);
    if (!isCached(page)) {
      this.#barrier(page);
      return;
    }
    this.#call(call, () => {
      this.#byLine(cpu, page, range, op);
    });
    this.#call('dsb after maintenance', () => {
      cpu.dsb();
    });
    if (call === 'clean') this.#outer(cpu, page, range, 'outer clean', 'CLEAN_PA');
    else this.#outer(cpu, page, range, 'outer invalidate before', 'INV_PA');
  }

  /** wmb(): what was stored is in memory before the doorbell. */
  #barrier(page: Page): void {
    const cpu = this.#cpuOf(page);
    this.#call('barrier before the doorbell', () => {
      cpu.dsb();
    });
    this.#sync(cpu);
  }

  #outer(cpu: Cpu, page: Page, range: Range, call: Call, register: 'INV_PA' | 'CLEAN_PA'): void {
    if (this.#machine.pl310 === null) return;
    this.#call(call, () => {
      for (let at = range.start; at < range.start + range.length; at += 32) {
        this.#machine.outerWrite(cpu, register, page.pa + at);
      }
    });
    this.#sync(cpu);
  }

  #sync(cpu: Cpu): void {
    if (this.#machine.pl310 === null) return;
    this.#call('outer sync', () => {
      this.#machine.outerWrite(cpu, 'CACHE_SYNC', 0);
    });
  }

  #byLine(cpu: Cpu, page: Page, { start, length }: Range, op: CacheOp): void {
    for (let at = start; at < start + length; at += this.#line) cpu.cacheOp(op, page.va + at);
  }

  /** Another CPU goes on with a page. */
  #migrate(page: Page, value: number): void {
    const { cpus } = this.#machine;
    if (cpus.length < 2) return;
    this.#finish(page);
    this.#call('barrier when a page changes hands', () => {
      this.#cpuOf(page).dsb();
    });
    page.owner = value % cpus.length;
    this.#call('barrier when a page changes hands', () => {
      this.#cpuOf(page).dmb('sy');
    });
  }

  /** A master that snoops needs no maintenance, only its place in the order. */
  #coherent(page: Page, range: Range, value: number): void {
    const port = this.#snooping;
    if (port === null) return;
    this.#finish(page);
    if ((value & 8) !== 0) {
      this.#toDevice(page, range, port);
      return;
    }
    this.#barrier(page);
    const data = new Uint8Array(range.length).map((_, i) => Math.imul(value + i, 0x35) >>> 2);
    this.#machine.onDoorbell = () => {
      port.write(dmaAddr(page.pa + range.start), range.length, data);
    };
    this.#machine.ring(this.#cpuOf(page), 3);
    page.flat.set(data, range.start);
    this.#call('barrier after completion', () => {
      readBarrier(this.#cpuOf(page));
    });
  }

  /** What is permitted at any time and changes no byte. */
  #harmless(page: Page, place: number, value: number): void {
    const cpu = this.#cpuOf(page);
    const { architecture, tables, multiprocessor } = this.#machine.profile;
    const isMaintained = isCached(page) && this.#machine.profile.l1d !== null;
    const at = this.#placeOf(page, place, 1, 0x700);
    const choice = value % 8;
    if (choice === 0 && this.#without === 'none') cpu.dsb();
    if (choice === 1 && this.#without === 'none' && isModern(cpu)) cpu.dmb('sy');
    if (choice === 2 && tables.length > 0) cpu.tlbOp(TlbOp.All, 0, 0);
    if (choice === 3) cpu.relax(100);
    if (choice === 4 && isMaintained) cpu.cacheOp(CacheOp.CVAC, page.va + at);
    if (choice === 5 && isMaintained) cpu.cacheOp(CacheOp.CIVAC, page.va + at);
    if (choice === 6 && architecture === 'v8') {
      this.#placeOf(page, at - (at % this.#line), this.#line, 0);
      const line = at - (at % this.#line);
      this.#finish(page);
      cpu.cacheOp(CacheOp.ZVA, page.va + at);
      page.flat.fill(0, line, line + this.#line);
    }
    const hasWholeOps = !multiprocessor && ['v4', 'v5', 'v6'].includes(architecture);
    if (choice === 7 && hasWholeOps) cpu.cacheOp(CacheOp.CIALL, 0);
  }

  #call(call: Call, run: () => void): void {
    if (call !== this.#without) run();
  }

  #expect(page: Page, at: number, found: number, expected: number): void {
    if (found === expected) return;
    this.#differs(`CPU ${page.owner} reads ${found} at +${at} of a ${page.memory} page`);
  }

  #differs(what: string): void {
    this.difference ??= `step ${this.#step}: ${what}`;
  }
}

const rangeOf = (place: number, value: number): Range => {
  const granules = AREA / GRANULE;
  const first = place % granules;
  const count = 1 + ((value >>> 5) % Math.min(3, granules - first));
  return { start: first * GRANULE, length: count * GRANULE };
};

const isCached = ({ memory }: Page): boolean => memory !== 'non-cached';

const isModern = ({ profile }: Cpu): boolean => !['v4', 'v5'].includes(profile.architecture);

const readBarrier = (cpu: Cpu): void => {
  if (isModern(cpu)) cpu.dmb('sy');
};
