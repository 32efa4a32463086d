import { MAX_PIECE } from '../../drivers/base/hw/dma-memory';
import type { DmaMemory } from '../../drivers/base/hw/dma-memory';
import type { IoBus } from '../../drivers/base/hw/io-bus';
import type { Pulse } from '../../drivers/base/hw/pulse';
import type { Ram } from '../../drivers/base/hw/ram';
import { TraceKind, ofCpu } from '../../drivers/base/hw/trace';
import type { Trace } from '../../drivers/base/hw/trace';
import { TlbOp } from '../../drivers/base/types/isa';
import type { Stateful } from '../../drivers/base/types/state';
import type { CacheGeometry } from './cache/line-cache';
import type { OuterLevel } from './cache/outer-level';
import type { Step } from './concrete/whims';
import type { Cpu, CpuTime } from './cpu';
import type { CpuBus } from './front';
import type { MemoryModel } from './memory-model';
import type { Mmu, WalkMemory } from './mmu/mmu';
import type { CoreProfile } from './profile';

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

/** What every complex of CPUs is made from. */
export interface ComplexParts {
  readonly cpus: readonly CpuConfig[];
  /** PL310 and its like: geometry of the cache outside all clusters. */
  readonly outer: CacheGeometry | null;
  readonly ram: Ram;
  readonly io: CpuBus;
  readonly trace: Trace;
  readonly time: CpuTime;
}

/**
 * All CPUs of a machine and what lies between them and RAM, as the rest of the machine uses them:
 * the concrete one with its caches, or the checked one, which needs none.
 */
export interface Complex extends Stateful {
  readonly cpus: readonly Cpu[];
  readonly outer: OuterLevel | null;
  readonly pulse: Pulse;
  /** How many CPUs are online: 0 up to this number. */
  readonly online: number;
  /** Lets a CPU into the domain. They come up in order. */
  bringUp(number: number): Cpu;
  /** Memory as a master reaches it: through a port that snoops the caches, or past them. */
  masterMemory(name: string, io: IoBus, snoops: boolean): DmaMemory;
  /** How often any CPU took a step that nobody asked for. */
  unasked(step: Step): number;
}

/** Most bytes of a transfer that are in one line of every cache: what a master moves as one. */
export const transferPiece = ({ cpus, outer }: Pick<ComplexParts, 'cpus' | 'outer'>): number => {
  const caches = [outer, ...cpus.flatMap(({ l1d, l2 }) => [l1d, l2])];
  return Math.min(MAX_PIECE, ...caches.map(cache => cache?.line ?? MAX_PIECE));
};

/** Memory as the walker of a CPU reaches it: table words through its caches, noted in the trace. */
export const walkMemory = (
  { ram, trace }: Pick<ComplexParts, 'ram' | 'trace'>,
  cpu: number,
  memory: Pick<MemoryModel, 'readTableWord'>,
): WalkMemory => ({
  readTableWord: (address, inner, outer) => {
    const word = ram.wordOf(address);
    if (word < 0) return null;
    const entry = memory.readTableWord(word, inner, outer);
    trace.fold(ofCpu(TraceKind.Walk, cpu), word, entry);
    return entry;
  },
  isRam: address => ram.wordOf(address) >= 0,
});

/** One TLB operation of a CPU, on its own TLB and, where it is broadcast, on those of all others. */
export const invalidateTlbs = (
  cpus: readonly Cpu[],
  mmus: readonly Mmu[],
  number: number,
  op: TlbOp,
  operand: number,
  asid: number,
): void => {
  const broadcast = op >= TlbOp.AllIS && mmus[number]?.isBroadcast === true;
  cpus.forEach((cpu, other) => {
    if (other !== number && !broadcast) return;
    mmus[other]?.invalidate(op, operand, asid);
    cpu.front.micro.flush();
  });
};
