import type { GuestErrorSink } from '../../../base/hw/device';
import type { DmaPort } from '../../../base/hw/dma-port';
import { TxResult } from '../../../base/hw/mmio';
import type { RegisterFile } from '../../../base/hw/register-file';
import { dmaAddr } from '../../../base/types/address';
import { FAULT_ENTRY, FAULT_FLAGS, MOST_FAULTS } from '../regs';
import type { GC_LITE, MmuException } from '../regs';

/** A fault that software is to see to. */
export interface QueuedFault {
  readonly space: number;
  readonly code: MmuException;
  readonly write: boolean;
  /** Of the access, for the GPU. */
  readonly address: number;
  /** Whose access: an index of STATUS. */
  readonly mmu: number;
}

export interface FaultQueueParts {
  readonly name: string;
  readonly port: DmaPort;
  readonly regs: RegisterFile<typeof GC_LITE>;
  readonly onGuestError: GuestErrorSink;
}

/** The GPU's side of the fault queue in memory: an extension, see regs.ts. */
export class FaultQueue {
  readonly #parts: FaultQueueParts;
  readonly #bytes = new Uint8Array(FAULT_ENTRY.SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  #sequence = 0;

  constructor(parts: FaultQueueParts) {
    this.#parts = parts;
  }

  /** The queue was given another size, or was reset: it is empty. */
  restart(): void {
    const { X_FAULTQ_ENTRIES, X_FAULTQ_GET, X_FAULTQ_PUT } = this.#parts.regs;
    if (X_FAULTQ_ENTRIES.COUNT > MOST_FAULTS) {
      const { name, onGuestError } = this.#parts;
      onGuestError(`${name}.X_FAULTQ_ENTRIES: more than ${MOST_FAULTS}`);
      X_FAULTQ_ENTRIES.COUNT = 0;
    }
    X_FAULTQ_GET.INDEX = 0;
    X_FAULTQ_PUT.value = 0;
    this.#sequence = 0;
  }

  /** Writes an entry and says so in X_INTR; a fault that finds no room is lost, which X_INTR says as well. */
  push(fault: QueuedFault): void {
    const { X_FAULTQ_ENTRIES, X_FAULTQ_GET, X_FAULTQ_PUT, X_FAULTS_LOST, X_INTR } =
      this.#parts.regs;
    const { COUNT } = X_FAULTQ_ENTRIES;
    const next = COUNT === 0 ? 0 : (X_FAULTQ_PUT.value + 1) % COUNT;
    if (COUNT === 0 || next === X_FAULTQ_GET.INDEX || !this.#store(fault, X_FAULTQ_PUT.value)) {
      X_FAULTS_LOST.value += 1;
      X_INTR.OVERFLOW = 1;
      return;
    }
    X_FAULTQ_PUT.value = next;
    X_INTR.FAULT = 1;
  }

  /** The words of an entry, the one with VALID last. */
  #store({ space, code, write, address, mmu }: QueuedFault, index: number): boolean {
    const { VALID, WRITE, AS, CODE } = FAULT_FLAGS;
    const { SIZE, FLAGS, ADDRESS, UNIT, SEQUENCE } = FAULT_ENTRY;
    this.#view.setUint32(
      FLAGS,
      VALID.at(1) + WRITE.at(write ? 1 : 0) + AS.at(space) + CODE.at(code),
      true,
    );
    this.#view.setUint32(ADDRESS, address, true);
    this.#view.setUint32(UNIT, mmu, true);
    this.#view.setUint32(SEQUENCE, this.#sequence++, true);
    const { port, regs } = this.#parts;
    const at = dmaAddr(regs.X_FAULTQ_ADDRESS.value + index * SIZE);
    const rest = port.write(dmaAddr(at + ADDRESS), SIZE - ADDRESS, this.#bytes, ADDRESS);
    return rest === TxResult.Ok && port.write(at, ADDRESS, this.#bytes, FLAGS) === TxResult.Ok;
  }
}
