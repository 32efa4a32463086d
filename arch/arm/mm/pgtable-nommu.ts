import { physAddr } from '../../../drivers/base/types/address';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import type { Isa } from '../../../drivers/base/types/isa';
import { SCTLR } from '../regs/sysreg';
import type { EntryChange, PageTables } from './pgtable';

/**
 * A core with an MPU: memory is mapped one to one, RAM cached and everything else as device. A
 * request that asks for what is there already is granted, any other is not modelled.
 */
export class FlatTables implements PageTables {
  readonly writes = 0;
  readonly registers = [];
  readonly #isa: Isa;

  constructor(isa: Isa) {
    this.#isa = isa;
  }

  createRoot(): PhysAddr {
    return physAddr(0);
  }

  map(_root: PhysAddr, { va, pa }: { readonly va: number; readonly pa: number }): boolean {
    if (va !== pa) throw new UnmodelledError('MPU', 'a mapping at another address than its own');
    return true;
  }

  unmap(): void {
    throw new UnmodelledError('MPU', 'memory is mapped for good');
  }

  spanAt(): number {
    return 0;
  }

  pages(): EntryChange | null {
    return null;
  }

  placesOf(): readonly PhysAddr[] {
    return [];
  }

  split(): EntryChange | null {
    return null;
  }

  destroyRoot(): void {
    throw new UnmodelledError('MPU', 'address spaces');
  }

  copyKernelEntries(): void {
    throw new UnmodelledError('MPU', 'address spaces');
  }

  /** The data cache goes on: what SCTLR.C is to the others, CCR.DC is here. */
  enable(): void {
    this.#isa.writeSys('SCTLR', SCTLR.C);
    this.#isa.isb();
  }

  switchTo(): void {
    throw new UnmodelledError('MPU', 'address spaces');
  }
}
