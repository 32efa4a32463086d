import { ArmMm } from '../../../../arch/arm/mm/init';
import type { BootMemory } from '../../../../arch/arm/mm/init';
import type { KernelImage } from '../../../../arch/arm/mm/cpu-info';
import { CurrentCpu } from '../../../../drivers/base/kernel/current-cpu';
import type { Page } from '../../../../drivers/base/kernel/dma-mapping';
import type { CpuAddr } from '../../../../drivers/base/types/address';
import { MIB } from '../../../../drivers/base/types/bits';
import { GFP_KERNEL } from '../../../../drivers/base/kernel/gfp';
import { pageToPhys } from '../../../../mm/page-alloc';
import { ArmMachine, RAM_BASE } from '../machine';
import type { ArmMachineOptions } from '../machine';

/** A kernel's memory management on bare silicon: CPU 0 has booted, the others have not. */
export class BareKernel {
  readonly machine: ArmMachine;
  readonly mm: ArmMm;

  constructor(
    options: ArmMachineOptions,
    image: KernelImage = 'arm',
    lpae = false,
    memory: Partial<BootMemory> = {},
  ) {
    this.machine = new ArmMachine({ ...options, off: true });
    this.mm = new ArmMm(new CurrentCpu(this.machine.cpu), {
      image,
      ram: [{ base: RAM_BASE, size: 256 * MIB }],
      reserved: [],
      noMap: [],
      dmaLimit: null,
      lpae,
      ...memory,
    });
  }

  /** A page of lowmem and its linear address, filled with a word. */
  page(word: number): { readonly page: Page; readonly address: CpuAddr } {
    const { mm } = this;
    const page = mm.pages.allocPages(GFP_KERNEL, 0);
    const address = page === null ? null : mm.layout.physToVirt(pageToPhys(page));
    if (page === null || address === null) throw new Error('no page of lowmem');
    for (let offset = 0; offset < 4096; offset += 4) mm.cpu.store32(address + offset, word);
    return { page, address };
  }
}
