import { i32 } from '../../drivers/base/types/arrays';
import { InputError, UnmodelledError, invariant } from '../../drivers/base/types/errors';
import type { Random } from '../../drivers/base/types/random';
import { Pulse } from '../../drivers/base/hw/pulse';
import { UncachedMemory } from '../../drivers/base/hw/dma-memory';
import type { DmaMemory } from '../../drivers/base/hw/dma-memory';
import type { IoBus } from '../../drivers/base/hw/io-bus';
import { restoreAll } from '../../drivers/base/hw/state-arrays';
import { StateReader } from '../../drivers/base/types/state';
import type { StateValue } from '../../drivers/base/types/state';
import { takeWhim } from './adversary/adversary';
import type { Adversary } from './adversary/adversary';
import { Cluster } from './cache/cluster';
import { CoherentMemory } from './cache/coherent-memory';
import { DataCache } from './cache/data-cache';
import { Domain } from './cache/domain';
import { LineCache } from './cache/line-cache';
import type { CacheGeometry } from './cache/line-cache';
import { OuterCache } from './cache/outer-cache';
import { SystemMemory } from './cache/system-memory';
import { invalidateTlbs, transferPiece, walkMemory } from './complex-parts';
import type { Complex, ComplexParts, CpuConfig } from './complex-parts';
import { ConcreteMemory } from './concrete/concrete-memory';
import { ConcreteCpu } from './concrete/cpu';
import { Interest } from './concrete/interest';
import { Sightings } from './concrete/sightings';
import { Versions } from './concrete/versions';
import { Whims } from './concrete/whims';
import type { Step } from './concrete/whims';
import { Front } from './front';
import { IS_CACHED } from './micro-tlb';
import { Mmu } from './mmu/mmu';
import type { CoreProfile } from './profile';
import { SystemRegisters } from './sysregs';

export interface ComplexConfig extends ComplexParts {
  readonly adversary: Adversary;
  readonly random: Random;
  /** Check mode: see Versions. */
  readonly versions?: boolean;
}

/** A core without a data cache gets the smallest there is, and never uses it. */
const NO_CACHE: CacheGeometry = { size: 64, ways: 1, line: 32 };

/**
 * All CPUs of a machine with their caches, kept coherent in one inner-shareable domain, and what
 * lies between them and RAM. CPU 0 is online from the start; the others join when software
 * starts them.
 */
export class CpuComplex implements Complex {
  readonly cpus: readonly ConcreteCpu[];
  readonly domain: Domain;
  readonly memory: SystemMemory;
  readonly outer: OuterCache | null;
  /** Null but in check mode. */
  readonly versions: Versions | null;
  readonly interest = new Interest();
  readonly sightings = new Sightings();
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
    this.versions = config.versions === true ? this.#shadowed() : null;
    this.pulse.arm(config.adversary.start({ pulse: this.pulse, whims: this.#whims }));
    this.bringUp(0);
  }

  /** How many CPUs are online: 0 up to this number. */
  get online(): number {
    return this.#online;
  }

  /** Lets a CPU into the domain. They come up in order. */
  bringUp(number: number): ConcreteCpu {
    invariant(number === this.#online, `CPU ${number} comes after CPU ${this.#online}`);
    const cpu = this.cpus[number];
    const cache = this.#caches[number];
    invariant(cpu !== undefined && cache !== undefined, `there is no CPU ${number}`);
    this.domain.join(cache);
    this.#online++;
    return cpu;
  }

  /** How often any CPU took a step that nobody asked for. */
  unasked(step: Step): number {
    return this.#whims.reduce((sum, whims) => sum + whims.taken(step), 0);
  }

  masterMemory(name: string, io: IoBus, snoops: boolean): DmaMemory {
    const { ram } = this.#config;
    const observe = (word: number): void => {
      this.deviceEvent(word);
    };
    const piece = transferPiece(this.#config);
    const memory = snoops
      ? new CoherentMemory(ram, io, observe, piece, this.domain)
      : new UncachedMemory(ram, io, observe, piece);
    memory.transferWatch = this.versions?.portOf(name, snoops) ?? null;
    return memory;
  }

  /** A device touched the line of a physical word: an event, and a place of interest. */
  deviceEvent(word: number): void {
    this.interest.note(word);
    const [whims] = this.#whims;
    if (this.pulse.tick() && whims !== undefined) {
      takeWhim(this.pulse, this.#config.adversary, whims);
    }
  }

  /** Everything of the CPUs and their caches; clusters in the order of their first CPU. */
  saveState(): StateValue {
    if (this.versions !== null) {
      throw new UnmodelledError('snapshot', 'of a machine in check mode: versions are not saved');
    }
    return {
      online: this.#online,
      cpus: this.cpus.map(cpu => cpu.saveState()),
      mmus: this.#mmus.map(mmu => mmu.saveState()),
      caches: this.#caches.map(cache => cache.saveState()),
      clusters: [...this.#clusters.values()].map(cluster => cluster.saveState()),
      outer: this.outer?.saveState() ?? null,
      interest: this.interest.saveState(),
      sightings: this.sightings.saveState(),
      pulse: this.pulse.saveState(),
      adversary: this.#config.adversary.saveState(),
    };
  }

  /** RAM must have been restored: caches name its frames. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'the CPUs');
    const online = reader.number('online');
    if (online > this.cpus.length) {
      const expected = `at most ${this.cpus.length} CPUs`;
      throw new InputError({ place: 'snapshot of the CPUs', expected, found: `${online}` });
    }
    this.domain.clear();
    this.#online = 0;
    for (let number = 0; number < online; number++) this.bringUp(number);
    restoreAll(this.cpus, reader, 'cpus');
    restoreAll(this.#mmus, reader, 'mmus');
    restoreAll(this.#caches, reader, 'caches');
    restoreAll([...this.#clusters.values()], reader, 'clusters');
    this.outer?.restoreState(reader.value('outer'));
    this.interest.restoreState(reader.value('interest'));
    this.sightings.restoreState(reader.value('sightings'));
    this.pulse.restoreState(reader.value('pulse'));
    this.#config.adversary.restoreState(reader.value('adversary'));
  }

  #shadowed(): Versions {
    const second = [...this.#clusters.values()].flatMap(({ l2 }) => (l2 === null ? [] : [l2]));
    const memories = this.cpus.map(({ memory }) => memory);
    const { pulse, domain } = this;
    return new Versions({ pulse, domain, caches: this.#caches, second, memories });
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

  #makeCpu(config: CpuConfig, number: number): ConcreteCpu {
    const { profile, l1d, l1i, l2, mpidr } = config;
    const { trace, adversary, time } = this.#config;
    const { domain, interest, sightings, pulse } = this;
    const mmu = new Mmu(profile, adversary.tlbCapacity);
    this.#mmus.push(mmu);
    const cache = this.#makeCache(config, number);
    this.#caches.push(cache);
    const front = this.#makeFront(number, profile, mmu, cache);
    const memory = this.#makeMemory(number, profile, mmu, cache, front);
    const whims = new Whims({ profile, memory, cache, domain, mmu, interest, sightings, trace });
    this.#whims.push(whims);
    const registers = new SystemRegisters(profile, { l1d, l1i, l2 }, mmu, mpidr);
    const { lines } = cache;
    const parts = { number, profile, front, memory, lines, whims, adversary, registers };
    return new ConcreteCpu({ ...parts, pulse, trace, time, onRegister: null });
  }

  #makeCache(config: CpuConfig, number: number): DataCache {
    const { profile } = config;
    const { ram, trace } = this.#config;
    const lines = this.#lines(`cpu${number} L1D`, config.l1d ?? NO_CACHE, profile.replacement);
    const none = { ...NO_CACHE, sizes: [64, 64] as const, indexing: 'pipt' as const };
    const spec = profile.l1d ?? none;
    const cluster = this.#cluster(config);
    return new DataCache(number, profile, spec, lines, cluster, this.domain, ram, trace);
  }

  #makeFront(number: number, profile: CoreProfile, mmu: Mmu, cache: DataCache): Front {
    const { ram, io, trace, adversary } = this.#config;
    const front: Front = new Front({
      number,
      profile,
      mmu,
      cache: profile.l1d === null ? null : cache,
      ram,
      io,
      trace,
      onPage: adversary.isQuiet
        ? null
        : (slot, frame, va) => {
            const isCached = (i32(front.micro.tag, slot) & IS_CACHED) !== 0;
            if (isCached) this.sightings.note(frame, va);
          },
      onUse: null,
      fastStores: !adversary.delaysStores || profile.storeBuffer === 0,
    });
    return front;
  }

  /** The memory of a CPU, joined to the front and the MMU that were made before it. */
  #makeMemory(
    number: number,
    profile: CoreProfile,
    mmu: Mmu,
    cache: DataCache,
    front: Front,
  ): ConcreteMemory {
    const { trace, adversary } = this.#config;
    const memory = new ConcreteMemory({
      profile,
      micro: front.micro,
      mmu,
      cache,
      domain: this.domain,
      adversary,
      extraStores: adversary.extraWays,
      trace,
      interest: this.interest,
      invalidateTlbs: (op, operand, asid) => {
        invalidateTlbs(this.cpus, this.#mmus, number, op, operand, asid);
      },
    });
    front.attach(memory);
    mmu.attach(walkMemory(this.#config, number, memory));
    return memory;
  }

  #cluster({ cluster, l1d, l2, profile }: CpuConfig): Cluster {
    let made = this.#clusters.get(cluster);
    if (made === undefined) {
      const lines =
        l2 === null ? null : this.#lines(`cluster${cluster} L2`, l2, profile.replacement);
      const isSectored = profile.l2?.sectored === true && l1d !== null;
      const sectorWords = isSectored ? Math.min(l1d.line / 4, lines?.lineWords ?? 0) : undefined;
      made = new Cluster(lines, profile.l2?.inclusion ?? 'neither', this.memory, sectorWords);
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
}
