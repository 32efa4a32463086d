import { coherentKind, makeCoherent } from '../../../../../arch/arm/mm/coherent';
import type { CountedCoherent } from '../../../../../arch/arm/mm/coherent/counted';
import { IN_ORDER } from '../../../../../arch/arm/mm/coherent/steps';
import type { StepOrder } from '../../../../../arch/arm/mm/coherent/steps';
import type { CoherentBoard } from '../../../../../arch/arm/mm/coherent/strategy';
import type { BootMemory } from '../../../../../arch/arm/mm/init';
import { KernelMappings } from '../../../../../arch/arm/mm/ioremap';
import { innerOf, outerOf, typeOf } from '../../../../../arch/arm/mmu/attributes';
import { physAddr } from '../../../../../drivers/base/types/address';
import { MIB } from '../../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentName, CoherentRequest } from '../../../../../mm/arch-dma';
import type { ArmMachineOptions } from '../../machine';
import { RAM_BASE } from '../../machine';
import { BareKernel } from '../kernel';
import { walkerOf } from '../kernels';
import type { KernelCase } from '../kernels';

/** Enough for a few sections, and few enough pages to map each of them. */
export const SMALL_RAM = 16 * MIB;

export interface CoherentBenchOptions {
  readonly board?: CoherentBoard;
  readonly order?: StepOrder;
  readonly ram?: number;
  readonly memory?: Partial<BootMemory>;
  readonly machine?: Partial<ArmMachineOptions>;
}

/** A strategy on a bare kernel that was booted as it asks. */
export class CoherentBench {
  readonly kernel: BareKernel;
  readonly mappings: KernelMappings;
  readonly coherent: CountedCoherent;

  constructor(
    { core, image, lpae }: Pick<KernelCase, 'core' | 'image' | 'lpae'>,
    name: CoherentName,
    options: CoherentBenchOptions = {},
  ) {
    const { board = { cma: null, dmaEnd: null }, order = IN_ORDER } = options;
    this.kernel = new BareKernel({ core, ...options.machine }, image, lpae, {
      ram: [{ base: RAM_BASE, size: options.ram ?? SMALL_RAM }],
      ...coherentKind(name).boot(board),
      ...options.memory,
    });
    this.mappings = new KernelMappings(this.kernel.mm);
    this.coherent = makeCoherent(this.kernel.mm, this.mappings, { name, board, order });
  }

  /** What was given, or why nothing was. */
  ask(request: Partial<CoherentRequest> = {}): CoherentBlock | string {
    const answer = this.coherent.alloc({
      ...{ size: 2 * 4096, memory: 'dmacoherent', gfp: {} },
      limit: physAddr(2 ** 40 - 1),
      ...request,
    });
    return 'refused' in answer ? answer.refused : answer;
  }

  /** What was given; an error if nothing was. */
  get(request: Partial<CoherentRequest> = {}): CoherentBlock {
    const answer = this.ask(request);
    if (typeof answer === 'string') throw new Error(answer);
    return answer;
  }

  /** Where a walk leads from an address, and as which memory; null: nowhere. */
  walked(va: number): { readonly pa: number; readonly memory: string } | null {
    const result = walkerOf(this.kernel).walk(va);
    if (!result.ok) return null;
    const { entry } = result;
    const { attributes } = entry;
    const memory = [typeOf(attributes), innerOf(attributes), outerOf(attributes)].join(' ');
    return { pa: entry.pa + (va - entry.va), memory };
  }

  /** What the linear map has at a physical address. */
  linear(phys: number): { readonly pa: number; readonly memory: string } | null {
    const va = this.kernel.mm.layout.physToVirt(physAddr(phys));
    return va === null ? null : this.walked(va);
  }

  /** What must be the same when all is given back: pages, and ranges of addresses. */
  held(): readonly number[] {
    const { pages, tablePages, vmalloc } = this.kernel.mm;
    return [pages.managedPages - pages.freePages - tablePages, vmalloc?.areas.length ?? 0];
  }
}
