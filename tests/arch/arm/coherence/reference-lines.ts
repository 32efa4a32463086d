import type { StateSets } from '../../../../arch/arm/coherence/sets';
import {
  HAS_ORDERED,
  HAS_OTHERS,
  HAS_PENDING,
  HAS_STORE,
} from '../../../../arch/arm/coherence/sets';
import { READS } from '../../../../arch/arm/coherence/verdicts';

interface ByteOfLine {
  set: number;
  /** Of its last store; null if that was another CPU's than the owner's. */
  epoch: number | null;
}

interface ReferenceLine {
  readonly bytes: ByteOfLine[];
  owner: number;
  lastEpoch: number;
  maintainers: Set<number>;
  /** CPUs whose `dsb` is still to come before maintenance of the line is known to be complete. */
  awaited: Set<number>;
  /** The bytes of the last device write, none if a CPU has stored since. */
  byDevice: Mask;
}

export type Mask = readonly number[];
/** Kind, alias, operation: what StateSets.eventOf takes. */
type Variant = readonly number[];

/**
 * Lines byte by byte: every byte has its own set, and whatever a barrier means happens to every
 * byte of every line at once. What LineStates does with pairs, groups and epochs must be the same.
 */
export class ReferenceLines {
  readonly lines: ReferenceLine[];
  readonly #sets: StateSets;
  readonly #all: Mask;
  readonly #cpus: readonly number[];
  readonly #epoch: number[];
  readonly #drained: number[];
  readonly #reached: number[];

  constructor(sets: StateSets, lines: number, bytes: number, cpus: number) {
    this.#sets = sets;
    const set = sets.next(sets.initial, sets.eventOf('mapping'));
    this.#all = Array.from({ length: bytes }, (_, n) => n);
    this.#cpus = Array.from({ length: cpus }, (_, n) => n);
    this.lines = Array.from({ length: lines }, () => ({
      bytes: this.#all.map(() => ({ set, epoch: 0 })),
      owner: 0,
      lastEpoch: 0,
      maintainers: new Set<number>(),
      awaited: new Set<number>(),
      byDevice: [],
    }));
    this.#epoch = this.#cpus.map(() => 1);
    this.#drained = this.#cpus.map(() => 0);
    this.#reached = this.#cpus.map(() => 0);
  }

  line(number: number): ReferenceLine {
    const line = this.lines[number];
    if (line === undefined) throw new Error(`no line ${number}`);
    return line;
  }

  /** Applies one event to bytes and another to the rest; the sum of what it means. */
  apply(number: number, mask: Mask, own: string, others: string, variant: Variant = []): number {
    const [kind = 0, alias = 0, operation = 0] = variant;
    const ownEvent = this.#sets.eventOf(own, kind, alias, operation);
    const otherEvent = others === '' ? -1 : this.#sets.eventOf(others, kind, alias, operation);
    let verdict = 0;
    this.line(number).bytes.forEach((byte, n) => {
      const isIn = mask.includes(n);
      const event = isIn ? ownEvent : otherEvent;
      if (event < 0) return;
      const said = this.#sets.verdict(byte.set, event);
      verdict |= isIn ? said : said & ~READS;
      this.#advance(byte, event);
    });
    return verdict;
  }

  everywhere(number: number, event: string, variant: Variant = []): number {
    return this.apply(number, this.#all, event, '', variant);
  }

  load(number: number, mask: Mask, variant: Variant, cpu: number): number {
    this.#takeOver(number, cpu);
    this.#follow(number, variant, cpu);
    // What waits in no CPU is seen by all.
    const waits = this.#has(number, HAS_STORE | HAS_OTHERS);
    const isOwn = this.line(number).owner === cpu || !waits;
    const rule = isOwn ? 'load' : 'load by another CPU';
    return this.apply(number, mask, rule, 'load of another byte', variant);
  }

  /** A poll got the latest value. */
  see(number: number, mask: Mask, variant: Variant, cpu: number): void {
    const { owner, byDevice } = this.line(number);
    if (owner !== cpu) this.observe(owner, this.#lastEpoch(number, mask));
    this.#follow(number, variant, cpu);
    const isLast = mask.some(n => byDevice.includes(n)) && this.#sets.profile.aliases === 1;
    const [kind = 0, alias = 0] = variant;
    const isKnown = isLast && this.#sets.eventOf('seen another byte', kind, alias) >= 0;
    const others = isKnown ? 'seen another byte' : 'load of another byte';
    this.apply(number, mask, 'seen', others, variant);
  }

  store(number: number, mask: Mask, variant: Variant, cpu: number): number {
    const line = this.line(number);
    if (line.owner !== cpu) {
      this.everywhere(number, 'stores of the line have drained');
      line.owner = cpu;
      for (const byte of line.bytes) byte.epoch = null;
    }
    this.#follow(number, variant, cpu);
    const verdict = this.apply(number, mask, 'store', 'store of another byte', variant);
    for (const n of mask) {
      const byte = line.bytes[n];
      if (byte !== undefined) byte.epoch = this.#epoch[cpu] ?? 0;
    }
    line.lastEpoch = this.#epoch[cpu] ?? 0;
    line.byDevice = [];
    return verdict;
  }

  maintain(number: number, operation: number, alias: number, cpu: number): number {
    const line = this.line(number);
    const waits = this.#has(number, HAS_STORE | HAS_OTHERS);
    if (!this.#has(number, HAS_PENDING)) line.maintainers.clear();
    const isAlone = [...line.maintainers].every(other => other === cpu);
    const isForeign = (waits && line.owner !== cpu) || !isAlone;
    if (waits && line.owner === cpu) {
      this.observe(cpu, line.lastEpoch);
      if (isForeign) this.everywhere(number, 'stores of the line have drained');
    }
    const rule = isForeign ? 'maintain the inner line from another CPU' : 'maintain the inner line';
    const verdict = this.everywhere(number, rule, [0, alias, operation]);
    line.maintainers.add(cpu);
    line.awaited = new Set(line.maintainers.size > 1 ? this.#cpus : [cpu]);
    return verdict;
  }

  deviceWrite(number: number, mask: Mask, own: string, others: string): number {
    const verdict = this.apply(number, mask, own, others);
    this.line(number).byDevice = mask;
    return verdict;
  }

  deviceSaw(number: number, mask: Mask, event: string): void {
    const { owner } = this.line(number);
    const epoch = this.#lastEpoch(number, mask);
    if (event === 'device saw') {
      this.#reached[owner] = Math.max(this.#reached[owner] ?? 0, epoch - 1);
    }
    this.observe(owner, epoch);
    this.apply(number, mask, event, '');
  }

  dmb(cpu: number): void {
    this.#epoch[cpu] = (this.#epoch[cpu] ?? 0) + 1;
  }

  dsb(cpu: number): void {
    this.#drained[cpu] = this.#epoch[cpu] ?? 0;
    this.dmb(cpu);
    this.lines.forEach((line, number) => {
      if (line.awaited.delete(cpu) && line.awaited.size === 0) {
        this.everywhere(number, 'maintenance has completed');
      }
    });
    this.#settle();
  }

  deviceStore(cpu: number): void {
    this.observe(cpu, this.#epoch[cpu] ?? 0);
  }

  observe(cpu: number, epoch: number): void {
    this.#drained[cpu] = Math.max(this.#drained[cpu] ?? 0, epoch - 1);
    this.#settle();
  }

  outerSync(): void {
    this.lines.forEach((_, number) => this.everywhere(number, 'outer sync'));
  }

  #has(number: number, properties: number): boolean {
    const { bytes } = this.line(number);
    return bytes.some(({ set }) => (this.#sets.properties(set) & properties) !== 0);
  }

  /** Whoever uses a line of which nothing waits becomes its owner. */
  #takeOver(number: number, cpu: number): void {
    const line = this.line(number);
    if (line.owner === cpu || this.#has(number, HAS_STORE | HAS_OTHERS | HAS_ORDERED)) return;
    line.owner = cpu;
    line.lastEpoch = 0;
  }

  /** A cacheable access comes after maintenance by the same CPU, and nobody else's. */
  #follow(number: number, [kind = 0, alias = 0]: Variant, cpu: number): void {
    const { maintainers } = this.line(number);
    const isCached = this.#sets.profile.kinds[kind]?.inner !== 0;
    if (!isCached || maintainers.size !== 1 || !maintainers.has(cpu)) return;
    if (!this.#has(number, HAS_PENDING)) return;
    this.everywhere(number, 'an access follows maintenance of its line', [0, alias]);
  }

  /** Of some bytes: an epoch counts while the last store of a byte may wait, in a CPU or behind it. */
  #lastEpoch(number: number, mask: Mask): number {
    const waits = HAS_STORE | HAS_ORDERED;
    const epochs = this.line(number)
      .bytes.filter(({ set }, n) => mask.includes(n) && (this.#sets.properties(set) & waits) !== 0)
      .map(({ epoch }) => epoch ?? 0);
    return Math.max(0, ...epochs);
  }

  #settle(): void {
    this.lines.forEach((line, number) => {
      const drained = this.#drained[line.owner] ?? 0;
      if (line.lastEpoch <= drained) this.everywhere(number, 'stores of the line have drained');
      else this.#finish(line, drained, 'the store has drained');
      this.#finish(line, this.#reached[line.owner] ?? 0, 'the store has reached memory');
    });
  }

  #finish({ bytes }: ReferenceLine, last: number, name: string): void {
    const event = this.#sets.eventOf(name);
    if (event < 0) return;
    for (const byte of bytes) {
      if (byte.epoch !== null && byte.epoch <= last) this.#advance(byte, event);
    }
  }

  #advance(byte: ByteOfLine, event: number): void {
    const after = this.#sets.next(byte.set, event);
    if (this.#sets.states(after).length > 0) byte.set = after;
  }
}
