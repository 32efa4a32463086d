import { HAS_LOST } from '../../../../arch/arm/coherence/sets';
import { EARLY, MAY_LOSE, MAY_STALE, MUST_STALE } from '../../../../arch/arm/coherence/verdicts';
import { highMask, lowMask } from '../../../../arch/arm/checked/byte-masks';
import type { StaleAccess, Versions } from '../../../../arch/arm/concrete/versions';
import { Cacheability } from '../../../../arch/arm/mmu/attributes';
import type { DmaPort } from '../../../../drivers/base/hw/dma-port';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { i32 } from '../../../../drivers/base/types/arrays';
import { invariant } from '../../../../drivers/base/types/errors';
import { CacheOp } from '../../../../drivers/base/types/isa';
import type { HardwareObserver, Verdict } from '../../../../drivers/base/types/observer';
import type { Random } from '../../../../drivers/base/types/random';
import type { ArmMachine, CheckedArmMachine } from './../machine';
import type { Memory } from '../tables';

type Either = ArmMachine | CheckedArmMachine;

/** The concrete machine shows what the checked one has not said; with the history of the line. */
export class Unsaid extends Error {
  override readonly name = 'Unsaid';
}

/** A virtual page and the physical one behind it. */
interface Window {
  readonly name: string;
  readonly va: number;
  readonly pa: number;
  readonly memory: Memory;
}

/** Bytes of each page that a program uses: a few lines, so that things meet. */
const AREA = 64;
/** The same where lines farther out are wider. */
const WIDE_AREA = 128;
const RESET_EVERY = 80;

/** How much was seen of what the test is about: it must not have nothing to compare. */
export interface Tally {
  steps: number;
  stale: number;
  lost: number;
  /** Accesses that had to be stale, and were. */
  must: number;
}

/**
 * One random program on the concrete machine, where any number of things happen unasked, and on
 * the checked machine beside it: whatever the former shows, the latter has said.
 */
export class ConformanceRun {
  readonly tally: Tally = { steps: 0, stale: 0, lost: 0, must: 0 };
  readonly #concrete: ArmMachine;
  readonly #checked: CheckedArmMachine;
  readonly #versions: Versions;
  readonly #random: Random;
  readonly #windows: readonly Window[];
  readonly #ports: readonly { readonly snoops: boolean; readonly of: (m: Either) => DmaPort }[];
  readonly #line: number;
  readonly #area: number;
  #stale: StaleAccess[] = [];
  #verdicts: Verdict[] = [];
  /** Physical address of a line to what was done to it lately. */
  readonly #history = new Map<number, string[]>();
  /** Physical address of a line to the event at which its bytes were last said to be lost, maybe. */
  readonly #saidLost = new Map<number, number>();
  /** Physical address of a byte to the event of its last write. */
  readonly #written = new Map<number, number>();
  /** Physical address of a line to the CPU whose stores to it, or maintenance of it, may wait. */
  readonly #changer = new Map<number, number>();

  constructor(concrete: ArmMachine, checked: CheckedArmMachine, random: Random) {
    const { versions } = concrete.complex;
    invariant(versions !== null, 'the concrete machine is in check mode');
    this.#concrete = concrete;
    this.#checked = checked;
    this.#versions = versions;
    this.#random = random;
    this.#line = checked.complex.checker.lineBytes;
    const { l2 } = concrete.profile;
    this.#area = l2 !== null && l2.line > this.#line ? WIDE_AREA : AREA;
    this.#windows = this.#mapWindows();
    const snooping = concrete.profile.snoopPort === 'none' ? [false] : [false, true];
    this.#ports = snooping.map(snoops => {
      const ports = new Map<Either, DmaPort>([
        [concrete, concrete.port(snoops)],
        [checked, checked.port(snoops)],
      ]);
      const of = (machine: Either): DmaPort => ports.get(machine) ?? machine.port(snoops);
      return { snoops, of };
    });
    versions.onStale = access => this.#stale.push(access);
    checked.complex.observer = observing(verdict => this.#verdicts.push(verdict));
  }

  /** Unsaid for the first thing that the one machine shows and the other has not said. */
  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      if (this.tally.steps % RESET_EVERY === 0) this.#reset();
      else this.#one();
      this.tally.steps++;
    }
  }

  #mapWindows(): readonly Window[] {
    const { tables, l1d, ncLookup } = this.#concrete.profile;
    const memories: readonly Memory[] =
      tables.length > 0
        ? ['cached', 'cached', 'write-through', 'non-cached']
        : [l1d === null ? 'non-cached' : 'cached'];
    const windows = memories.map((memory, n): Window => {
      const va = this.#concrete.page(n, memory);
      this.#checked.page(n, memory);
      return { name: `${memory} ${n}`, va, pa: this.#concrete.pageAt(n), memory };
    });
    const [first, second] = windows;
    if (tables.length === 0 || first === undefined || second === undefined) return windows;
    const others: Window[] = [];
    const alias = (memory: Memory, { pa, va, name }: Window): void => {
      const other = { name: `${memory} alias of ${name}`, va: va + 16 * 4096, pa, memory };
      this.#concrete.tables.map(other.va, pa, memory);
      this.#checked.tables.map(other.va, pa, memory);
      others.push(other);
    };
    alias('cached', first);
    // Nor do they say in which CPU's cache a copy is, where that matters.
    if (ncLookup === 'ignores' || this.#concrete.cpus.length === 1) alias('non-cached', second);
    return [...windows, ...others];
  }

  #one(): void {
    const window = this.#pick(this.#windows);
    const cpu = this.#random.below(this.#concrete.cpus.length);
    const width = 1 << this.#random.below(4);
    const at = this.#random.below(this.#area / width) * width;
    const action = this.#random.below(40);
    if (action < 9) this.#store(window, at, width, cpu);
    else if (action < 18) this.#load(window, at, Math.min(width, 4), cpu);
    else if (action < 24) this.#maintain(window, at, cpu);
    else if (action < 26) this.#both(`dsb by ${cpu}`, null, m => m.cpus[cpu]?.dsb());
    else if (action < 28) this.#barrier(cpu);
    else if (action < 35) this.#device(window, at);
    else if (action < 37) this.#outer(window, at, cpu);
    else if (action < 38)
      this.#both('doorbell', null, m => {
        m.ring(m.cpus[cpu] ?? m.cpu, 1);
      });
    else if (action < 39) this.#both('relax', null, m => m.cpus[cpu]?.relax(100));
    else this.#walk(window, at, cpu);
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[this.#random.below(items.length)];
    invariant(item !== undefined, 'there is something to choose from');
    return item;
  }

  #store(window: Window, at: number, width: number, cpu: number): void {
    const { pa, va } = window;
    this.#handOver(this.#lineOf(pa + at), cpu);
    const value = this.#random.below(2 ** 31);
    for (let i = 0; i < width; i++)
      this.#written.set(pa + at + i, this.#concrete.complex.pulse.now + 1);
    this.#both(`store ${width} by ${cpu} to ${window.name}`, pa + at, m => {
      const core = m.cpus[cpu] ?? m.cpu;
      if (width === 1) core.store8(va + at, value);
      else if (width === 2) core.store16(va + at, value);
      else if (width === 4) core.store32(va + at, value);
      else core.store64(va + at, value, ~value);
    });
  }

  #load(window: Window, at: number, width: number, cpu: number): void {
    const { pa, va } = window;
    const what = `load ${width} by ${cpu} of ${window.name}`;
    this.#both(what, pa + at, m => {
      const core = m.cpus[cpu] ?? m.cpu;
      if (width === 1) core.load8(va + at);
      else if (width === 2) core.load16(va + at);
      else core.load32(va + at);
    });
    if (!this.#random.oneIn(4) || this.#wasStale(pa + at, width)) return;
    // A poll that got the value of the last write.
    const core = this.#checked.cpus[cpu] ?? this.#checked.cpu;
    const { micro } = core.front;
    const access = i32(micro.index, micro.slotOf(va));
    const [line, low, high] = this.#checkedLine(pa + at, width);
    this.#note(`seen by ${cpu} through ${window.name}`, pa + at);
    this.#checked.complex.lines.see(line, low, high, access, cpu);
  }

  #maintain(window: Window, at: number, cpu: number): void {
    if (this.#concrete.profile.l1d === null) return;
    const op = this.#pick([CacheOp.CVAC, CacheOp.IVAC, CacheOp.CIVAC]);
    const name = ['CVAC', 'IVAC', 'CIVAC'][[CacheOp.CVAC, CacheOp.IVAC, CacheOp.CIVAC].indexOf(op)];
    this.#both(`${name} by ${cpu} of ${window.name}`, window.pa + at, m => {
      m.cpus[cpu]?.cacheOp(op, window.va + at);
    });
  }

  #barrier(cpu: number): void {
    if (['v4', 'v5'].includes(this.#concrete.profile.architecture)) return;
    const kind = this.#pick(['sy', 'st', 'ld'] as const);
    this.#both(`dmb ${kind} by ${cpu}`, null, m => m.cpus[cpu]?.dmb(kind));
  }

  #device({ pa, name }: Window, at: number): void {
    const wanted = this.#random.oneIn(3) ? 32 : 1 + this.#random.below(6);
    const length = Math.min(wanted, this.#line - (at % this.#line));
    const { snoops, of } = this.#pick(this.#ports);
    const bytes = Uint8Array.from({ length }, () => this.#random.below(256));
    const how = snoops ? 'snooping ' : '';
    if (this.#random.oneIn(2)) {
      const now = this.#concrete.complex.pulse.now + 1;
      for (let i = 0; i < length; i++) this.#written.set(pa + at + i, now);
      this.#both(`${how}device writes ${length} of ${name}`, pa + at, m => {
        of(m).write(dmaAddr(pa + at), length, bytes);
      });
      return;
    }
    this.#both(`${how}device reads ${length} of ${name}`, pa + at, m => {
      of(m).read(dmaAddr(pa + at), length, bytes);
    });
    if (!this.#random.oneIn(4) || this.#wasStale(pa + at, length)) return;
    const [line, low, high] = this.#checkedLine(pa + at, length);
    this.#note(`seen by the ${how}device`, pa + at);
    this.#checked.complex.lines.deviceSaw(line, low, high, snoops);
  }

  #outer({ pa, name }: Window, at: number, cpu: number): void {
    if (this.#concrete.pl310 === null) return;
    const register = this.#pick(['CLEAN_PA', 'INV_PA', 'CLEAN_INV_PA', 'CACHE_SYNC'] as const);
    const isSync = register === 'CACHE_SYNC';
    const value = isSync ? 0 : pa + at - ((pa + at) % this.#line);
    this.#both(`${register} of ${name}`, isSync ? null : pa + at, m => {
      m.outerWrite(m.cpus[cpu] ?? m.cpu, register, value);
    });
  }

  /** A walker reads a word: as cacheable as its CPU's tables are, or not at all. */
  #walk({ pa, name, memory }: Window, at: number, cpu: number): void {
    if (this.#concrete.profile.tables.length === 0) return;
    const isCached = memory === 'cached';
    const kind = isCached ? Cacheability.writeBackAllocate : Cacheability.none;
    this.#both(`walk by ${cpu} in ${name}`, pa + at, m => {
      const word = m.ram.wordOf(pa + at - (at % 4));
      m.cpus[cpu]?.memory.readTableWord(word, kind, kind);
    });
  }

  /** Everything is in memory, and what there is counts as the latest. */
  #reset(): void {
    const { profile, pl310 } = this.#concrete;
    this.#dsbEverywhere();
    for (const { va, pa, memory, name } of this.#windows) {
      for (let at = 0; at < this.#area; at += 32) {
        if (profile.l1d !== null && memory !== 'non-cached') {
          this.#both(`reset of ${name}`, pa + at, m => {
            m.cpu.cacheOp(CacheOp.CIVAC, va + at);
          });
        }
      }
    }
    this.#dsbEverywhere();
    for (const { pa } of pl310 === null ? [] : this.#windows) {
      for (let at = 0; at < this.#area; at += 32) {
        this.#both('reset', pa + at, m => {
          m.outerWrite(m.cpu, 'CLEAN_INV_PA', pa + at);
        });
      }
    }
    if (pl310 !== null) {
      this.#both('reset', null, m => {
        m.outerWrite(m.cpu, 'CACHE_SYNC', 0);
      });
    }
    for (const { pa } of this.#windows) {
      this.#versions.forget(pa, this.#area);
      this.#checked.complex.watch.forget(pa, this.#area);
    }
    this.#history.clear();
    this.#changer.clear();
  }

  #dsbEverywhere(): void {
    this.#concrete.cpus.forEach((_, cpu) => {
      this.#both(`dsb by ${cpu}`, null, m => m.cpus[cpu]?.dsb());
    });
  }

  /** Two CPUs that change a line agree on an order: what is not modelled, nothing is said of. */
  #handOver(line: number, cpu: number): void {
    const before = this.#changer.get(line);
    if (before !== undefined && before !== cpu) {
      this.#both(`dsb by ${before}`, null, m => m.cpus[before]?.dsb());
    }
    this.#changer.set(line, cpu);
  }

  /** Does a thing on both machines and compares what they say. */
  #both(what: string, address: number | null, run: (machine: Either) => unknown): void {
    this.#stale = [];
    this.#verdicts = [];
    this.#note(what, address);
    run(this.#concrete);
    run(this.#checked);
    const { now } = this.#concrete.complex.pulse;
    const other = this.#checked.complex.pulse.now;
    if (now !== other) this.#fail(`event ${now} of one is event ${other} of the other`, address);
    for (const { address: at, bits, event } of this.#verdicts) {
      if ((bits & MAY_LOSE) !== 0) this.#saidLost.set(this.#lineOf(at), event);
    }
    this.#compareStale();
    this.#compareMust();
    const line = address === null ? null : this.#lineOf(address);
    this.#compareLost(
      line ?? this.#lineOf(this.#pick(this.#windows).pa + this.#random.below(this.#area)),
    );
  }

  #compareStale(): void {
    for (const { event, by, access, address, size } of this.#stale) {
      this.tally.stale++;
      const said = this.#verdicts.some(
        verdict =>
          verdict.event === event &&
          verdict.by.kind === by.kind &&
          verdict.address <= address &&
          verdict.address + verdict.size >= address + size &&
          (verdict.bits & (MAY_STALE | EARLY)) !== 0,
      );
      if (!said) this.#fail(`${access} of ${size} bytes is stale and was not said to be`, address);
    }
  }

  #compareMust(): void {
    for (const { event, address, size, bits } of this.#verdicts) {
      if ((bits & MUST_STALE) === 0) continue;
      this.tally.must++;
      const isStale = this.#stale.some(
        stale =>
          stale.event === event &&
          stale.address < address + size &&
          stale.address + stale.size > address,
      );
      if (!isStale) this.#fail('an access is fresh that was said to be stale', address);
    }
  }

  #compareLost(line: number): void {
    const [number] = this.#checkedLine(line, 1);
    const { lines } = this.#checked.complex;
    for (let byte = 0; byte < this.#line; byte++) {
      if (!this.#versions.isLost(line + byte)) continue;
      this.tally.lost++;
      const properties = lines.sets.properties(lines.setOf(number, byte));
      if ((properties & HAS_LOST) === 0) this.#fail(`byte ${byte} is lost, in no state`, line);
      const written = this.#written.get(line + byte) ?? 0;
      if ((this.#saidLost.get(line) ?? -1) < written) {
        this.#fail(`byte ${byte}, written at ${written}, is lost and nothing was said`, line);
      }
    }
  }

  #wasStale(address: number, size: number): boolean {
    return this.#stale.some(
      stale => stale.address < address + size && stale.address + stale.size > address,
    );
  }

  #lineOf(address: number): number {
    return address - (address % this.#line);
  }

  #checkedLine(address: number, size: number): readonly [line: number, low: number, high: number] {
    const { checker } = this.#checked.complex;
    const offset = address % this.#line;
    const line = checker.lineOf(this.#checked.ram.wordOf(address));
    return [line, lowMask(offset, size), highMask(offset, size)];
  }

  /** What concerns no line concerns all. */
  #note(what: string, address: number | null): void {
    const text = (at: number): string =>
      `${this.#concrete.complex.pulse.now + 1}: ${what}${address === null ? '' : ` +${address - at}`}`;
    if (address !== null && !this.#history.has(this.#lineOf(address))) {
      this.#history.set(this.#lineOf(address), []);
    }
    for (const [line, entries] of this.#history) {
      if (address === null || this.#lineOf(address) === line) entries.push(text(line));
    }
  }

  #fail(what: string, address: number | null): never {
    const line = address === null ? 0 : this.#lineOf(address);
    const history = (this.#history.get(line) ?? []).slice(-40).join('\n  ');
    const at = address === null ? '' : ` at +${address - line} of its line`;
    throw new Unsaid(`${what}${at}; the line:\n  ${history}`);
  }
}

const observing = (verdict: (verdict: Verdict) => void): HardwareObserver => ({
  verdict,
  mismatch: () => undefined,
  staleTranslation: () => undefined,
  cpuTouches: () => undefined,
  deviceTouches: () => undefined,
  transferBegins: () => undefined,
  transferActs: () => undefined,
  transferEnds: () => undefined,
});
