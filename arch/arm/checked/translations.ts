import { at, f64, i32 } from '../../../drivers/base/types/arrays';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { TlbOp } from '../../../drivers/base/types/isa';
import type { AccessKind } from '../../../drivers/base/types/observer';
import { INNER_LIVE, OUTER_LIVE } from '../coherence/spontaneous';
import { Cacheability, innerOf, isNormal, outerOf } from '../mmu/attributes';
import type { Mmu } from '../mmu/mmu';
import { GLOBAL } from '../mmu/tlb';
import type { TlbEntry } from '../mmu/tlb';
import type { TranslatedRegion } from '../mmu/walker';
import type { CoreProfile } from '../profile';
import { ACTLR, SCTLR } from '../regs/sysreg';
import { NO_WRITER } from './translation-hooks';
import type { TranslationHooks, TranslationsParts } from './translation-hooks';
import { MappingRules } from './translations-check';
import { TranslationIndex, isWalked } from './translations-index';
import type { Lingering, Translation, WalkedTables } from './translations-index';
import { Lingerers } from './translations-lingering';
import { LiveFrames } from './translations-live';
import { TableDirectory, TableTree } from './translations-tree';

/** The translation of one CPU, as of its last register write. */
interface CpuState {
  readonly profile: CoreProfile;
  readonly mmu: Mmu;
  trees: readonly TableTree[];
  asid: number;
  /** The registers that decide what the core makes of cacheability. */
  caching: number;
}

/** Trees that are kept though no CPU uses them: a kernel goes back and forth between a few. */
const IDLE_TREES = 4;
const BOTH = INNER_LIVE | OUTER_LIVE;

/**
 * The live translations of a machine: those that a walk of some CPU finds, and those that its TLB
 * may still hold although no walk finds them. A core that speculates fills lines through them.
 *
 * A valid entry may be in a TLB from the moment it is stored, and stays live until maintenance
 * that matches it was issued after no walk could find it any more, and has completed. A walk can
 * find what was overwritten until the `dsb` of the CPU that stored; whether a walker that does not
 * look into the caches sees the new word then is a matter of the state of its line, not of this. An
 * entry of another address space is live when that is switched to. Register writes take effect at
 * once. Sources: ARM DDI 0406C B3.10, DDI 0487 D8.13 and D8.14, DDI 0100I B4.7.
 */
export class Translations implements TranslationHooks {
  readonly #parts: TranslationsParts;
  readonly #cpus: readonly CpuState[];
  readonly #index = new TranslationIndex();
  readonly #directory: TableDirectory;
  /** By the key of their region; those that came into force last at the end. */
  readonly #trees = new Map<string, TableTree>();
  readonly #lingerers: Lingerers;
  readonly #rules: MappingRules;
  readonly #frames: LiveFrames;

  constructor(parts: TranslationsParts) {
    this.#parts = parts;
    this.#cpus = parts.cpus.map(({ profile, mmu }) => ({
      profile,
      mmu,
      trees: [],
      asid: 0,
      caching: 0,
    }));
    this.#frames = new LiveFrames(
      page => this.#compute(page * PAGE_SIZE),
      (frame, live) => {
        parts.listener.liveChanged(frame, live);
      },
    );
    this.#directory = new TableDirectory((page, isTable) => {
      const frame = parts.ram.frameOf(page);
      if (frame >= 0) parts.listener.tableChanged(frame, isTable);
    });
    this.#lingerers = new Lingerers(translation => {
      this.#frames.doubt(translation);
      this.#index.release(translation);
    });
    this.#rules = new MappingRules(parts, {
      older: this.#lingerers.older,
      walk: (cpu, va) => {
        const result = at(this.#cpus, cpu).mmu.walk(va, this.#word);
        return result.ok ? result.entry : null;
      },
      eachUse: (pa, visit) => {
        this.#index.eachAt(pa, ({ entry, trees, lingering }) => {
          this.#eachUser(trees, lingering, mmu => visit(entry, mmu));
        });
      },
    });
    parts.cpus.forEach((_, cpu) => {
      this.registerWritten(cpu);
    });
  }

  liveOf(frame: number): number {
    return this.#frames.liveOf(frame, this.#pageOf(frame));
  }

  tableStored(writer: number, address: number): void {
    const nodes = this.#directory.at(address);
    if (nodes.length === 0) return;
    for (const { tree } of nodes) if (isIdle(tree)) this.#drop(tree);
    const taken: { readonly tree: TableTree; readonly translation: Translation }[] = [];
    for (const node of nodes) {
      // It is gone with its tree, or with another if it is reached through itself.
      if (!this.#directory.at(address).includes(node)) continue;
      const { tree } = node;
      for (const translation of tree.cut(node, address)) taken.push({ tree, translation });
    }
    for (const tree of new Set(nodes.map(node => node.tree))) this.#renew(tree);
    for (const { tree, translation } of taken) this.#takenOut(translation, tree, writer);
    if (writer !== NO_WRITER) this.#checkBroken(taken, writer);
    // Not before: one that is gone from a tree that nobody walks may linger because of another.
    for (const { translation } of taken) this.#index.release(translation);
    // What is new, and leads to nothing that was reached before, has been looked up by nobody.
    const isNoticed = taken.length > 0 || this.#frames.areDoubtful;
    this.#frames.settle();
    if (isNoticed) this.#parts.listener.translationsChanged();
  }

  tlbMaintained(cpu: number, op: TlbOp, operand: number, asid: number): void {
    const { mmu, profile } = at(this.#cpus, cpu);
    const isBroadcast = op >= TlbOp.AllIS && mmu.isBroadcast;
    const { architecture } = profile;
    const isImmediate = architecture === 'v4' || architecture === 'v5';
    this.#lingerers.maintain({ op, operand, asid, cpu, isBroadcast }, isImmediate);
    this.#frames.settle();
  }

  synchronised(cpu: number): void {
    this.#lingerers.synchronise(cpu);
    this.#frames.settle();
  }

  registerWritten(cpu: number): void {
    const state = at(this.#cpus, cpu);
    const { mmu, trees, asid } = state;
    this.#noteCaching(state);
    const regions = mmu.isOn ? mmu.regions() : [];
    const areSame =
      regions.length === trees.length &&
      regions.every(({ key }, n) => trees[n]?.region.key === key);
    const nextAsid = mmu.isOn ? mmu.asid : asid;
    if (!areSame || nextAsid !== asid) {
      const next = areSame ? trees : regions.map(region => this.#treeOf(region));
      for (const tree of next) if (!trees.includes(tree)) this.#enter(tree, cpu);
      this.#retag(cpu, nextAsid);
      state.trees = next;
      for (const tree of trees) if (!next.includes(tree)) this.#leave(tree, cpu, asid);
      this.#dropIdle();
      this.#parts.listener.translationsChanged();
    }
    this.#frames.settle();
  }

  used(cpu: number, va: number, access: AccessKind): boolean {
    return at(this.#cpus, cpu).mmu.isOn && this.#rules.check(cpu, va, access);
  }

  /** Reads a table as it is, without any effect. */
  readonly #word = (address: number): number | null => {
    const { ram } = this.#parts;
    const word = ram.wordOf(address);
    return word < 0 ? null : i32(ram.words, ram.poolIndex(word));
  };

  #pageOf(frame: number): number {
    return f64(this.#parts.ram.framePage, frame);
  }

  #noteCaching(state: CpuState): void {
    const { sctlr, actlr } = state.mmu.registers;
    const caching = (sctlr & (SCTLR.M | SCTLR.C)) | (actlr & ACTLR.SMP);
    if (caching === state.caching) return;
    state.caching = caching;
    this.#frames.doubtAll();
  }

  #treeOf(region: TranslatedRegion): TableTree {
    const tree = this.#trees.get(region.key) ?? new TableTree(region, this.#index, this.#directory);
    this.#trees.delete(region.key);
    this.#trees.set(region.key, tree);
    return tree;
  }

  /** The CPU's walks go through the tree from now on: all it holds may be in its TLB. */
  #enter(tree: TableTree, cpu: number): void {
    tree.refresh(at(this.#cpus, cpu).mmu, this.#word, () => undefined);
    for (const translation of tree.translations()) {
      if (!isWalked(translation, cpu)) this.#frames.doubt(translation);
    }
    tree.cpus.add(cpu);
  }

  /** Its walks no longer do; what another tree of it holds as well is none the worse. */
  #leave(tree: TableTree, cpu: number, asid: number): void {
    tree.cpus.delete(cpu);
    for (const translation of tree.translations()) {
      const { isGlobal } = translation;
      if (isWalked(translation, cpu)) continue;
      this.#lingerers.leftBehind(translation, cpu, isGlobal ? GLOBAL : asid, tree);
      this.#frames.doubt(translation);
    }
  }

  /** What the CPU's walks find belongs to another address space from now on. */
  #retag(cpu: number, asid: number): void {
    const state = at(this.#cpus, cpu);
    const before = state.asid;
    if (asid === before) return;
    state.asid = asid;
    for (const tree of state.trees) {
      if (tree.locals === 0) continue;
      for (const translation of tree.translations()) {
        if (!translation.isGlobal) this.#lingerers.leftBehind(translation, cpu, before, tree);
      }
    }
    for (const translation of this.#lingerers.all) {
      const { lingering } = translation;
      if (lingering.some(each => each.cpu === cpu && each.asid !== GLOBAL))
        this.#frames.doubt(translation);
    }
  }

  /** A CPU that walks the tree finds what has changed. */
  #renew(tree: TableTree): void {
    const [cpu] = tree.cpus;
    if (cpu === undefined) return;
    tree.refresh(at(this.#cpus, cpu).mmu, this.#word, translation => {
      this.#frames.doubt(translation);
    });
  }

  /** An entry of the tree does not give it any more. */
  #takenOut(translation: Translation, tree: TableTree, writer: number): void {
    if (translation.trees.includes(tree)) return;
    for (const cpu of tree.cpus) {
      if (isWalked(translation, cpu)) continue;
      const asid = translation.isGlobal ? GLOBAL : at(this.#cpus, cpu).asid;
      this.#lingerers.takenOut(translation, cpu, asid, writer);
    }
    this.#lingerers.takenOutBehind(translation, tree);
    this.#frames.doubt(translation);
  }

  /** What was taken out must have been invalid for a while before another took its place. */
  #checkBroken(
    taken: readonly { readonly tree: TableTree; readonly translation: Translation }[],
    writer: number,
  ): void {
    for (const { tree, translation } of taken) {
      for (const cpu of tree.cpus) {
        if (this.#rules.checkBroken(cpu, translation.entry, writer)) return;
      }
    }
  }

  #dropIdle(): void {
    const idle = [...this.#trees.values()].filter(isIdle);
    for (const tree of idle.slice(0, -IDLE_TREES)) this.#drop(tree);
  }

  #drop(tree: TableTree): void {
    this.#trees.delete(tree.region.key);
    for (const translation of tree.clear()) this.#index.release(translation);
  }

  #compute(pa: number): number {
    let live = 0;
    for (const { profile, mmu } of this.#cpus) {
      if (profile.tables.length > 0) break;
      const entry = mmu.peek(pa);
      if (entry !== null) live |= levelsOf(mmu, entry);
    }
    this.#index.eachAt(pa, ({ entry, trees, lingering }) => {
      this.#eachUser(trees, lingering, mmu => {
        live |= levelsOf(mmu, entry);
        return live !== BOTH;
      });
    });
    return live;
  }

  /** The MMUs that can use what these hold, until `visit` answers false. */
  #eachUser(
    trees: readonly WalkedTables[],
    lingering: readonly Lingering[],
    visit: (mmu: Mmu) => boolean,
  ): void {
    for (const { cpus } of trees) {
      for (const cpu of cpus) if (!visit(at(this.#cpus, cpu).mmu)) return;
    }
    for (const { cpu, asid } of lingering) {
      const state = at(this.#cpus, cpu);
      const isUsable = state.mmu.isOn && (asid === GLOBAL || asid === state.asid);
      if (isUsable && !visit(state.mmu)) return;
    }
  }
}

/** No CPU uses it, and none may hold anything that only it tells the fate of. */
const isIdle = ({ cpus, lingering }: TableTree): boolean => cpus.size === 0 && lingering === 0;

/** The levels of cache that memory of an entry may be filled into, as its core sees it. */
const levelsOf = (mmu: Mmu, entry: TlbEntry): number => {
  const attributes = mmu.effectiveAttributes(entry);
  if (!isNormal(attributes)) return 0;
  return (
    (innerOf(attributes) === Cacheability.none ? 0 : INNER_LIVE) |
    (outerOf(attributes) === Cacheability.none ? 0 : OUTER_LIVE)
  );
};
