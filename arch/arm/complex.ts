import { invariant } from '../../drivers/base/types/errors';
import { TlbOp } from '../../drivers/base/types/isa';
import type { Random } from '../../drivers/base/types/random';
import { Pulse } from '../../drivers/base/hw/pulse';
import type { Ram } from '../../drivers/base/hw/ram';
import type { Trace } from '../../drivers/base/hw/trace';
import { NEVER } from './adversary/adversary';
import type { Adversary } from './adversary/adversary';
import { Cluster } from './cache/cluster';
import { DataCache } from './cache/data-cache';
import { Domain } from './cache/domain';
import { LineCache } from './cache/line-cache';
import type { CacheGeometry } from './cache/line-cache';
import { OuterCache } from './cache/outer-cache';
import { SystemMemory } from './cache/system-memory';
import { ConcreteMemory } from './concrete/concrete-memory';
import { Interest } from './concrete/interest';
import { Whims } from './concrete/whims';
import { Cpu } from './cpu';
import type { CpuTime } from './cpu';
import { Front } from './front';
import type { IoBus } from './front';
import { Mmu } from './mmu/mmu';
import type { CoreProfile } from './profile';
import { SystemRegisters } from './sysregs';

/** One CPU of a machine, as its description resolved it. */
export interface CpuConfig {
  readonly profile: CoreProfile;
  readonly mpidr: number;
  readonly l1d: CacheGeometry | null;
  readonly l1i: CacheGeometry | null;
  /** CPUs with the same cluster number share a second level. */
  readonly cluster: number;
  readonly l2: CacheGeometry | null;
}

export interface ComplexConfig {
  readonly cpus: readonly CpuConfig[];
  /** PL310 and its like: geometry of the cache outside all clusters. */
  readonly outer: CacheGeometry | null;
  readonly adversary: Adversary;
  readonly random: Random;
  readonly ram: Ram;
  readonly io: IoBus;
  readonly trace: Trace;
  readonly time: CpuTime;
}

/** A core without a data cache gets the smallest there is, and never uses it. */
const NO_CACHE: CacheGeometry = { size: 64, ways: 1, line: 32 };

/**
 * All CPUs of a machine with their caches, kept coherent in one inner-shareable domain, and what
 * lies between them and RAM. CPU 0 is online from the start; the others join when software
 * starts them.
 */
export class CpuComplex {
  readonly cpus: readonly Cpu[];
  readonly domain: Domain;
  readonly memory: SystemMemory;
  readonly outer: OuterCache | null;
  readonly interest = new Interest();
  readonly pulse = new Pulse();

  readonly #config: ComplexConfig;
  readonly #mmus: Mmu[] = [];
  readonly #whims: Whims[] = [];
  readonly #clusters = new Map<number, Cluster>();
  readonly #caches: DataCache[] = [];
  #online = 0;

  constructor(config: ComplexConfig) {
    const first = config.cpus[0];
    invariant(first !== undefined, 'a machine has at least one CPU');
    this.#config = config;
    this.outer = this.#makeOuter();
    this.memory = new SystemMemory(config.ram, this.outer);
    this.domain = new Domain(this.memory, first.profile.snoopedWrite);
    this.cpus = config.cpus.map((cpu, number) => this.#makeCpu(cpu, number));
    this.pulse.arm(config.adversary.start({ pulse: this.pulse, whims: this.#whims }));
    this.bringUp(0);
  }

  /** How many CPUs are online: 0 up to this number. */
  get online(): number {
    return this.#online;
  }

  /** Lets a CPU into the domain. They come up in order. */
  bringUp(number: number): Cpu {
    invariant(number === this.#online, `CPU ${number} comes after CPU ${this.#online}`);
    const cpu = this.cpus[number];
    const cache = this.#caches[number];
    invariant(cpu !== undefined && cache !== undefined, `there is no CPU ${number}`);
    this.domain.join(cache);
    this.#online++;
    return cpu;
  }

  /** A device touched the line of a physical word: an event, and a place of interest. */
  deviceEvent(word: number): void {
    this.interest.note(word);
    const [whims] = this.#whims;
    if (!this.pulse.tick() || whims === undefined) return;
    this.pulse.arm(NEVER);
    this.pulse.arm(this.#config.adversary.whim(whims));
    for (const cpu of this.cpus) cpu.memory.refreshHeld();
  }

  #makeOuter(): OuterCache | null {
    const { outer, ram, adversary } = this.#config;
    if (outer === null) return null;
    const cache = new OuterCache(
      this.#lines('outer', outer, 'round-robin'),
      ram,
      this.#config.trace,
    );
    cache.holdsWrites = adversary.delaysOuterWrites;
    return cache;
  }

  #makeCpu(config: CpuConfig, number: number): Cpu {
    const { profile } = config;
    const { ram, io, trace, adversary, time } = this.#config;
    const cluster = this.#cluster(config);
    const spec = profile.l1d;
    const lines = this.#lines(`cpu${number} L1D`, config.l1d ?? NO_CACHE, profile.replacement);
    const indexing = spec ?? { ...NO_CACHE, sizes: [64, 64] as const, indexing: 'pipt' as const };
    const cache = new DataCache(number, profile, indexing, lines, cluster, this.domain, ram);
    this.#caches.push(cache);

    const holder: { memory?: ConcreteMemory; whims?: Whims } = {};
    const mmu = new Mmu(
      profile,
      {
        readTableWord: (address, inner, outer) => {
          const word = ram.wordOf(address);
          return word < 0 ? null : (holder.memory?.readTableWord(word, inner, outer) ?? null);
        },
        isRam: address => ram.wordOf(address) >= 0,
      },
      adversary.tlbCapacity,
    );
    this.#mmus.push(mmu);
    const front = new Front({
      profile,
      mmu,
      cache: spec === null ? null : cache,
      ram,
      io,
      trace,
      onCachedPage: adversary.isQuiet
        ? null
        : (frame, va) => {
            holder.whims?.sighted(frame, va);
          },
      fastStores: !adversary.delaysStores || profile.storeBuffer === 0,
    });
    const memory = new ConcreteMemory({
      profile,
      micro: front.micro,
      mmu,
      cache,
      domain: this.domain,
      adversary,
      trace,
      interest: this.interest,
      invalidateTlbs: (op, operand, asid) => {
        this.#invalidateTlbs(number, op, operand, asid);
      },
    });
    front.attach(memory);
    const { domain, interest } = this;
    const whims = new Whims({ profile, memory, cache, domain, mmu, interest });
    holder.memory = memory;
    holder.whims = whims;
    this.#whims.push(whims);
    const caches = { l1d: config.l1d, l1i: config.l1i, l2: config.l2 };
    const registers = new SystemRegisters(profile, caches, mmu, config.mpidr);
    const { pulse } = this;
    return new Cpu({
      number,
      profile,
      front,
      memory,
      lines,
      whims,
      adversary,
      registers,
      pulse,
      trace,
      time,
    });
  }

  #cluster({ cluster, l2, profile }: CpuConfig): Cluster {
    let made = this.#clusters.get(cluster);
    if (made === undefined) {
      const lines =
        l2 === null ? null : this.#lines(`cluster${cluster} L2`, l2, profile.replacement);
      made = new Cluster(lines, profile.l2?.inclusion ?? 'neither', this.memory);
      this.#clusters.set(cluster, made);
    }
    return made;
  }

  #lines(
    name: string,
    geometry: CacheGeometry,
    replacement: CoreProfile['replacement'],
  ): LineCache {
    const { adversary, random } = this.#config;
    const policy = adversary.isQuiet ? 'lru' : replacement;
    return new LineCache(name, geometry, policy, random.fork(name), adversary.extraWays);
  }

  #invalidateTlbs(number: number, op: TlbOp, operand: number, asid: number): void {
    const broadcast = op >= TlbOp.AllIS;
    this.cpus.forEach((cpu, other) => {
      if (other !== number && !broadcast) return;
      this.#mmus[other]?.invalidate(op, operand, asid);
      cpu.front.micro.flush();
    });
  }
}
