import { INNER_LIVE, OUTER_LIVE } from '../../../../arch/arm/coherence/spontaneous';
import { innerOf, isNormal, outerOf } from '../../../../arch/arm/mmu/attributes';
import type { TlbEntry } from '../../../../arch/arm/mmu/tlb';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import { TlbOp } from '../../../../drivers/base/types/isa';
import type { TranslationBench } from './translation-bench';

/** What a TLB may hold beyond what walks find: on an obvious list. */
interface Old {
  readonly entry: TlbEntry;
  /** The event at which walks were seen to find it no more; null until its store is visible. */
  since: number | null;
  writer: number;
}

interface Issued {
  readonly op: TlbOp;
  readonly operand: number;
  readonly asid: number;
  readonly time: number;
}

const keyOf = ({ va, span, pa, attributes, domain, asid }: TlbEntry): string =>
  [va, span, pa, attributes, domain, asid].join(' ');

const ADDRESS_OPS: readonly TlbOp[] = [
  TlbOp.Address,
  TlbOp.AddressIS,
  TlbOp.AddressAllAsid,
  TlbOp.AddressAllAsidIS,
];
const OPS_OF_ALL_ASIDS: readonly TlbOp[] = [
  TlbOp.All,
  TlbOp.AllIS,
  TlbOp.AddressAllAsid,
  TlbOp.AddressAllAsidIS,
];
const BROADCAST: readonly TlbOp[] = [
  TlbOp.AllIS,
  TlbOp.AddressIS,
  TlbOp.AddressAllAsidIS,
  TlbOp.AsidIS,
];

/** Finds everything anew after each event: all of what walks find at every address of interest. */
export class TranslationOracle {
  readonly #bench: TranslationBench;
  readonly #addresses: readonly number[];
  #time = 0;
  /** By CPU. */
  readonly #walked: Map<string, TlbEntry>[];
  readonly #old: Map<string, Old>[];
  readonly #issued: Issued[][];
  /** Frames of which some walk that is possible now reads a word. */
  readonly tables = new Set<number>();

  /** `addresses`: one at least under every entry that can be valid. */
  constructor(bench: TranslationBench, addresses: readonly number[]) {
    this.#bench = bench;
    this.#addresses = addresses;
    this.#walked = bench.cpus.map(() => new Map<string, TlbEntry>());
    this.#old = bench.cpus.map(() => new Map<string, Old>());
    this.#issued = bench.cpus.map(() => []);
  }

  /** Something has changed; `writer` stored to memory, or null: it was a register. */
  look(writer: number | null): void {
    const time = ++this.#time;
    this.tables.clear();
    this.#bench.cpus.forEach((_, cpu) => {
      const before = this.#walked[cpu] ?? new Map<string, TlbEntry>();
      const now = this.#walk(cpu);
      const old = this.#old[cpu] ?? new Map<string, Old>();
      for (const [key, entry] of before) {
        if (now.has(key)) continue;
        old.set(key, { entry, since: writer === null ? time : null, writer: writer ?? -1 });
      }
      for (const key of now.keys()) old.delete(key);
      this.#walked[cpu] = now;
    });
  }

  issue(cpu: number, op: TlbOp, operand: number, asid: number): void {
    const issued = { op, operand, asid, time: ++this.#time };
    if (this.#bench.format === 'v5') this.#complete(cpu, issued);
    else this.#issued[cpu]?.push(issued);
  }

  dsb(cpu: number): void {
    for (const issued of this.#issued[cpu] ?? []) this.#complete(cpu, issued);
    this.#issued[cpu] = [];
    const time = ++this.#time;
    for (const list of this.#old) {
      for (const old of list.values()) {
        if (old.since === null && old.writer === cpu) old.since = time;
      }
    }
  }

  liveOf(pa: number): number {
    let live = 0;
    this.#bench.cpus.forEach(({ mmu }, cpu) => {
      if (!mmu.isOn) return;
      const usable = [...(this.#old[cpu]?.values() ?? [])]
        .map(({ entry }) => entry)
        .filter(({ asid }) => asid === -1 || asid === mmu.asid);
      for (const entry of [...(this.#walked[cpu]?.values() ?? []), ...usable]) {
        if (pa < entry.pa || pa >= entry.pa + entry.span) continue;
        const attributes = mmu.effectiveAttributes(entry);
        if (!isNormal(attributes)) continue;
        if (innerOf(attributes) !== 0) live |= INNER_LIVE;
        if (outerOf(attributes) !== 0) live |= OUTER_LIVE;
      }
    });
    return live;
  }

  #walk(cpu: number): Map<string, TlbEntry> {
    const found = new Map<string, TlbEntry>();
    const bench = this.#bench;
    const mmu = bench.mmu(cpu);
    if (!mmu.isOn) return found;
    const read = (address: number): number | null => {
      const frame = bench.ram.frameOf(Math.floor(address / PAGE_SIZE));
      if (frame >= 0) this.tables.add(frame);
      return bench.word(address);
    };
    for (const va of this.#addresses) {
      try {
        const result = mmu.walk(va, read);
        if (result.ok) found.set(keyOf(result.entry), result.entry);
      } catch (error) {
        if (!(error instanceof UnmodelledError)) throw error;
      }
    }
    return found;
  }

  #complete(cpu: number, { op, operand, asid, time }: Issued): void {
    const isBroadcast = BROADCAST.includes(op) && this.#bench.mmu(cpu).isBroadcast;
    this.#old.forEach((list, other) => {
      if (other !== cpu && !isBroadcast) return;
      for (const [key, { entry, since }] of list) {
        if (since === null || since > time) continue;
        const isAddressed = operand >= entry.va && operand < entry.va + entry.span;
        if (ADDRESS_OPS.includes(op) && !isAddressed) continue;
        const isOfAll = OPS_OF_ALL_ASIDS.includes(op);
        const wanted = ADDRESS_OPS.includes(op) ? asid : operand;
        const isGlobalHit = entry.asid === -1 && ADDRESS_OPS.includes(op);
        if (isOfAll || isGlobalHit || entry.asid === wanted) list.delete(key);
      }
    });
  }
}
