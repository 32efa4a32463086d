import { coherentKind, makeCoherent } from '../../../../../arch/arm/mm/coherent';
import type { CountedCoherent } from '../../../../../arch/arm/mm/coherent/counted';
import type { StepOrder } from '../../../../../arch/arm/mm/coherent/steps';
import { IN_ORDER } from '../../../../../arch/arm/mm/coherent/steps';
import { l2x0Init } from '../../../../../arch/arm/mm/cache-l2x0';
import type { KernelImage } from '../../../../../arch/arm/mm/cpu-info';
import { ArmMm } from '../../../../../arch/arm/mm/init';
import { KernelMappings } from '../../../../../arch/arm/mm/ioremap';
import { CurrentCpu } from '../../../../../drivers/base/kernel/current-cpu';
import { GFP_KERNEL } from '../../../../../drivers/base/kernel/gfp';
import { KernelIo } from '../../../../../drivers/base/kernel/io';
import type { DmaPort } from '../../../../../drivers/base/hw/dma-port';
import { dmaAddr, physAddr } from '../../../../../drivers/base/types/address';
import { GIB, MIB } from '../../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentName } from '../../../../../mm/arch-dma';
import { pageToPhys } from '../../../../../mm/page-alloc';
import { Listener } from '../../checked/listener';
import { CheckedArmMachine, PL310_AT, RAM_BASE } from '../../machine';

/** A kind of machine, by what of it matters here. */
export interface CheckedCase {
  readonly core: string;
  readonly image: KernelImage;
  readonly lpae: boolean;
  readonly cpus: number;
  readonly outer: boolean;
}

const arm = { image: 'arm', lpae: false, cpus: 1, outer: false } as const;

/** One of every maintenance table, and what may stand around the core. */
export const CHECKED_CASES: readonly CheckedCase[] = [
  { ...arm, core: 'arm926ej-s' },
  { ...arm, core: 'arm1176jzf-s' },
  { ...arm, core: 'cortex-a8' },
  { ...arm, core: 'cortex-a9', cpus: 2 },
  { ...arm, core: 'cortex-a9', cpus: 2, outer: true },
  { ...arm, core: 'cortex-a15', lpae: true, cpus: 2 },
  { ...arm, core: 'cortex-a53', image: 'arm64', lpae: true, cpus: 2 },
];

export const titleOf = ({ core, cpus, outer }: CheckedCase): string =>
  `${cpus === 1 ? core : `${cpus} ${core}`}${outer ? ' and a PL310' : ''}`;

/** Writes down mismatches and stale translations, beside verdicts. */
class Findings extends Listener {
  readonly others: string[] = [];

  override mismatch(): void {
    this.others.push('mismatch');
  }

  override staleTranslation(): void {
    this.others.push('stale translation');
  }

  /** What was found since the last call, each kind once. */
  kinds(): readonly string[] {
    return [...new Set([...this.take(), ...this.others.splice(0)])].sort();
  }
}

/** Where the usual, few pages to be mapped one by one, are not enough. */
const RAM_SIZES: Readonly<Partial<Record<CoherentName, number>>> = {
  highmem: GIB,
  'cma-remap': 16 * MIB,
  'uncached-in-place': 16 * MIB,
};

const SIZE = 4096;
/** Bytes that are moved: a few lines of each width. */
const MOVED = 128;

/** A strategy on a machine over all that its caches may do, and a device that does not snoop. */
export class CheckedCoherent {
  readonly machine: CheckedArmMachine;
  readonly mm: ArmMm;
  readonly coherent: CountedCoherent;
  readonly #findings: Findings;
  readonly #port: DmaPort;

  constructor(kind: CheckedCase, name: CoherentName, order: StepOrder = IN_ORDER) {
    const { core, image, lpae, cpus, outer } = kind;
    const board = { cma: null, dmaEnd: null };
    this.machine = new CheckedArmMachine({ core, cpus, outer, off: true });
    const { cpu, complex } = this.machine;
    this.#findings = new Findings(complex);
    this.mm = new ArmMm(new CurrentCpu(cpu), {
      ...{ image, lpae, reserved: [], noMap: [], dmaLimit: null },
      ram: [{ base: RAM_BASE, size: RAM_SIZES[name] ?? 4 * MIB }],
      ...coherentKind(name).boot(board),
    });
    const mappings = new KernelMappings(this.mm);
    if (outer) this.#startOuter(mappings);
    this.machine.cpus.slice(1).forEach(each => {
      this.mm.startSecondary(each);
    });
    this.coherent = makeCoherent(this.mm, mappings, { name, board, order });
    this.#port = this.machine.port(false);
  }

  /** Uses coherent memory as drivers do, on every CPU, and its pages again afterwards. */
  exercise(): readonly string[] {
    for (const round of [1, 2]) {
      const block = this.#alloc();
      for (let cpu = 0; cpu < this.mm.cpu.online; cpu++) {
        this.mm.cpu.on(cpu, () => {
          this.#exchange(block, round);
        });
      }
      this.coherent.free(block);
      this.#useAgain();
    }
    return this.#findings.kinds();
  }

  #startOuter(mappings: KernelMappings): void {
    const io = new KernelIo(this.mm.cpu, this.mm.ioBarriers);
    const base = mappings.ioremap(physAddr(PL310_AT), 4096);
    if (base === null) throw new Error('no room for the registers of the PL310');
    const options = { sharedOverride: false, ioCoherent: false };
    this.mm.outer = l2x0Init(io, io.relaxed, base, options);
  }

  #alloc(): CoherentBlock {
    const limit = physAddr(2 ** 40 - 1);
    const request = {
      size: SIZE,
      memory: 'dmacoherent',
      gfp: {},
      limit,
    } as const;
    const answer = this.coherent.alloc(request);
    if ('refused' in answer) throw new Error(answer.refused);
    return answer;
  }

  /** The device writes and the CPU reads, the CPU writes and the device reads. */
  #exchange({ cpuAddr, phys }: CoherentBlock, seed: number): void {
    const { cpu, barriers } = this.mm;
    const bus = dmaAddr(phys);
    this.#port.write(bus, MOVED, new Uint8Array(MOVED).fill(seed));
    barriers.rmb();
    for (let at = 0; at < MOVED; at += 4) cpu.load32(cpuAddr + at);
    for (let at = 0; at < MOVED; at += 4) cpu.store32(cpuAddr + at, seed + at);
    barriers.wmb();
    this.#port.read(bus, MOVED, new Uint8Array(MOVED));
  }

  /** Who gets the pages next uses them as ordinary memory. */
  #useAgain(): void {
    const { cpu, layout, pages } = this.mm;
    const page = pages.allocPages(GFP_KERNEL, 0);
    const address = page === null ? null : layout.physToVirt(pageToPhys(page));
    if (page === null || address === null) throw new Error('no page of lowmem');
    // What an observer of allocations does: nobody misses what was there.
    this.machine.complex.watch.forget(pageToPhys(page), SIZE);
    for (let number = 0; number < cpu.online; number++) {
      cpu.on(number, () => {
        for (let at = 0; at < MOVED; at += 4) cpu.store32(address + at, at);
        for (let at = 0; at < MOVED; at += 4) cpu.load32(address + at);
      });
    }
    pages.freePagesAt(page, 0);
  }
}
