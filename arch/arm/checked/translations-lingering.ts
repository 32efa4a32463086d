import { TlbOp } from '../../../drivers/base/types/isa';
import { GLOBAL } from '../mmu/tlb';
import { NO_WRITER } from './translation-hooks';
import type { Lingering, Translation } from './translations-index';
import type { TableTree } from './translations-tree';

/** One TLB operation; its operands are those of the instruction. */
export interface TlbMaintenance {
  readonly op: TlbOp;
  readonly operand: number;
  readonly asid: number;
  readonly cpu: number;
  /** It reaches the TLB of every CPU. */
  readonly isBroadcast: boolean;
}

/** What one CPU has begun and may not have completed. */
interface UnderWay {
  issued: { readonly maintenance: TlbMaintenance; readonly moment: number }[];
  /** What its stores took out of tables, while they may still wait in its store buffer. */
  unseen: Lingering[];
}

const NOT_YET = Infinity;

/**
 * What TLBs may hold beyond what walks find. Each is a translation that walks once found, by CPU
 * and by address space; TLB maintenance ends it, if issued later than what took it out of the
 * tables was visible.
 */
export class Lingerers {
  /** Translations with something lingering, and those of them that were taken out of a table. */
  readonly all = new Set<Translation>();
  readonly older = new Set<Translation>();

  readonly #underWay = new Map<number, UnderWay>();
  readonly #onEnd: (translation: Translation) => void;
  /** Orders maintenance and what it must come after. */
  #moment = 0;

  /** `onEnd`: something of this translation is in a TLB no more. */
  constructor(onEnd: (translation: Translation) => void) {
    this.#onEnd = onEnd;
  }

  /** The CPU's walks do not find it any more, because they go through other tables. */
  leftBehind(translation: Translation, cpu: number, asid: number, tree: TableTree): void {
    const lingering = this.#lingeringOf(translation, cpu, asid);
    this.#setTree(lingering, tree);
    lingering.since = ++this.#moment;
    this.#classify(translation);
  }

  /** The CPU's walks do not find it any more, because `writer` overwrote its entry. */
  takenOut(translation: Translation, cpu: number, asid: number, writer: number): void {
    const lingering = this.#lingeringOf(translation, cpu, asid);
    this.#setTree(lingering, null);
    this.#defer(lingering, writer);
    this.#classify(translation);
  }

  /** CPUs that had left it behind in this tree will not find it there again. */
  takenOutBehind(translation: Translation, tree: TableTree): void {
    for (const lingering of translation.lingering) {
      if (lingering.tree === tree) this.#setTree(lingering, null);
    }
    this.#classify(translation);
  }

  /** It completes at the `dsb` of its CPU, or at once. */
  maintain(maintenance: TlbMaintenance, isImmediate: boolean): void {
    const moment = ++this.#moment;
    if (isImmediate) this.#complete(maintenance, moment);
    else this.#underWayOf(maintenance.cpu).issued.push({ maintenance, moment });
  }

  /** A CPU's maintenance has completed, and its stores can be seen by walks. */
  synchronise(cpu: number): void {
    const { issued, unseen } = this.#underWayOf(cpu);
    if (issued.length === 0 && unseen.length === 0) return;
    this.#underWay.delete(cpu);
    for (const { maintenance, moment } of issued) this.#complete(maintenance, moment);
    const moment = ++this.#moment;
    for (const lingering of unseen) {
      if (lingering.since === NOT_YET) lingering.since = moment;
    }
  }

  #underWayOf(cpu: number): UnderWay {
    let underWay = this.#underWay.get(cpu);
    if (underWay === undefined) {
      underWay = { issued: [], unseen: [] };
      this.#underWay.set(cpu, underWay);
    }
    return underWay;
  }

  #lingeringOf(translation: Translation, cpu: number, asid: number): Lingering {
    const known = translation.lingering.find(each => each.cpu === cpu && each.asid === asid);
    if (known !== undefined) return known;
    const made: Lingering = { cpu, asid, tree: null, since: NOT_YET };
    translation.lingering.push(made);
    this.all.add(translation);
    return made;
  }

  #defer(lingering: Lingering, writer: number): void {
    if (writer === NO_WRITER) {
      lingering.since = ++this.#moment;
      return;
    }
    lingering.since = NOT_YET;
    this.#underWayOf(writer).unseen.push(lingering);
  }

  #setTree(lingering: Lingering, tree: TableTree | null): void {
    if (lingering.tree !== null) lingering.tree.lingering--;
    if (tree !== null) tree.lingering++;
    lingering.tree = tree;
  }

  #classify(translation: Translation): void {
    if (translation.lingering.length === 0) this.all.delete(translation);
    if (translation.lingering.some(({ tree }) => tree === null)) this.older.add(translation);
    else this.older.delete(translation);
  }

  #complete(maintenance: TlbMaintenance, moment: number): void {
    for (const translation of this.all) {
      if (!reaches(maintenance, translation)) continue;
      const ended = translation.lingering.filter(
        lingering => lingering.since <= moment && ends(maintenance, lingering),
      );
      if (ended.length === 0) continue;
      for (const lingering of ended) this.#setTree(lingering, null);
      translation.lingering = translation.lingering.filter(each => !ended.includes(each));
      this.#classify(translation);
      this.#onEnd(translation);
    }
  }
}

/** By the address, for operations that have one. */
const reaches = ({ op, operand }: TlbMaintenance, { entry }: Translation): boolean => {
  switch (op) {
    case TlbOp.Address:
    case TlbOp.AddressIS:
    case TlbOp.AddressAllAsid:
    case TlbOp.AddressAllAsidIS:
      return operand >= entry.va && operand < entry.va + entry.span;
    default:
      return true;
  }
};

/** By the CPU and the address space; global entries are of each address, and of no ASID alone. */
const ends = (maintenance: TlbMaintenance, { cpu, asid }: Lingering): boolean => {
  if (cpu !== maintenance.cpu && !maintenance.isBroadcast) return false;
  switch (maintenance.op) {
    case TlbOp.Address:
    case TlbOp.AddressIS:
      return asid === GLOBAL || asid === maintenance.asid;
    case TlbOp.Asid:
    case TlbOp.AsidIS:
      return asid === maintenance.operand;
    default:
      return true;
  }
};
