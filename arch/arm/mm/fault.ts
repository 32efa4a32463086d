import { KernelOops } from '../../../drivers/base/kernel/oops';
import { hexCpu } from '../../../drivers/base/types/address';
import { FaultKind, faultName } from '../../../drivers/base/types/isa';
import type { FaultRecord } from '../../../drivers/base/types/isa';

/** Handles a fault that the kernel expects: true if the access is to be run again. */
export type FaultFixup = (fault: Readonly<FaultRecord>) => boolean;

/**
 * The data abort handler (do_DataAbort). Fixups are asked in turn; what nobody handles is an
 * oops, unless the code under way asked to be told (copy_from_kernel_nofault). A fixup that
 * faults itself is an oops: it would fault again, until there is no stack left.
 */
export class FaultHandler {
  readonly #fixups: FaultFixup[] = [];
  #captured: FaultRecord | null = null;
  #capturing = false;
  #fixing = false;
  /** Faults that a fixup resolved. */
  resolved = 0;

  addFixup(fixup: FaultFixup): void {
    this.#fixups.push(fixup);
  }

  handle(fault: Readonly<FaultRecord>): boolean {
    if (this.#fixing) throw new KernelOops(`${describe(fault)}, while a fault was handled`);
    if (this.#fix(fault)) return true;
    if (this.#capturing) {
      this.#captured ??= { ...fault };
      return false;
    }
    throw new KernelOops(describe(fault));
  }

  #fix(fault: Readonly<FaultRecord>): boolean {
    this.#fixing = true;
    try {
      if (!this.#fixups.some(fixup => fixup(fault))) return false;
    } finally {
      this.#fixing = false;
    }
    this.resolved++;
    return true;
  }

  /** Runs `body` with faults caught: the first one, or null. The faulting access is skipped. */
  capture(body: () => void): FaultRecord | null {
    this.#capturing = true;
    this.#captured = null;
    try {
      body();
      return this.#captured;
    } finally {
      this.#capturing = false;
    }
  }
}

const describe = ({ kind, address, write, level }: Readonly<FaultRecord>): string => {
  if (kind === FaultKind.Undefined) return 'undefined instruction';
  const where = hexCpu(address);
  const what = `${faultName(kind)} fault${level > 0 ? `, level ${level}` : ''}`;
  return `Unable to handle kernel ${write ? 'write' : 'read'} at virtual address ${where} (${what})`;
};
