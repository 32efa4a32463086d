import type { GuestErrorSink } from '../../../base/hw/device';
import type { IommuAnswer } from '../../../base/hw/dma-port';
import type { IrqLine } from '../../../base/hw/irq';
import { registerFile } from '../../../base/hw/register-file';
import type { RegisterFile, WriteHook } from '../../../base/hw/register-file';
import { hi32, lo32 } from '../../../base/types/bits';
import { UnmodelledError } from '../../../base/types/errors';
import type { StateValue } from '../../../base/types/state';
import { ARM_SMMU_GR0 } from '../regs';
import { ANY_LENGTH } from './access';
import type { RefusalSink, Transaction } from './access';
import { identification } from './integration';
import type { SmmuIntegration } from './integration';
import { GLOBAL, Scope, tagOf } from './invalidations';
import type { Invalidations } from './invalidations';
import type { GlobalFault } from './stream-mapping';

/** What the global registers have of the SMMU around them. */
export interface GlobalPorts {
  readonly name: string;
  readonly built: SmmuIntegration;
  readonly contextInterrupts: number;
  readonly invalidations: Invalidations;
  readonly irq: IrqLine | null;
  /** What streams meet may have changed. */
  readonly remapped: () => void;
  readonly onGuestError: GuestErrorSink;
  readonly onRefused: RefusalSink;
}

/** The first page: identification, stream mapping, global faults and invalidation. */
export class GlobalRegisters {
  readonly regs: RegisterFile<typeof ARM_SMMU_GR0>;
  readonly #ports: GlobalPorts;

  constructor(ports: GlobalPorts) {
    this.#ports = ports;
    const { built, contextInterrupts, onGuestError } = ports;
    const updateIrq = (): void => {
      ports.irq?.set(this.irqLevel);
    };
    this.regs = registerFile(ARM_SMMU_GR0, {
      onGuestError,
      resets: identification(built, contextInterrupts),
      onWrite: {
        CR0: () => {
          ports.remapped();
          updateIrq();
        },
        GFSR: updateIrq,
        SMR: this.#ofGroup('SMR', built.isMatching ? built.groups : 0),
        S2CR: this.#ofGroup('S2CR', built.groups),
        TLBIVMID: () => {
          this.#invalidate(Scope.Vmid, this.regs.TLBIVMID.VMID);
        },
        TLBIALLNSNH: () => {
          this.#invalidate(Scope.All, 0);
        },
        TLBGSYNC: () => {
          this.regs.TLBGSTATUS.GSACTIVE = 1;
          ports.invalidations.sync(GLOBAL, () => {
            this.regs.TLBGSTATUS.GSACTIVE = 0;
          });
        },
      },
    });
  }

  /** All global faults here are of the configuration. */
  get irqLevel(): boolean {
    return this.regs.GFSR.value !== 0 && this.regs.CR0.GCFGFIE === 1;
  }

  /** Refuses a transaction. The first fault is kept until it is cleared. */
  fault(transaction: Transaction, fault: GlobalFault): IommuAnswer {
    const { CR0, GFSR, GFAR, GFAR_HI, GFSYNR0, GFSYNR1 } = this.regs;
    const { address, write, stream, answer } = transaction;
    if (CR0.GCFGFRE === 0) {
      throw new UnmodelledError('arm-smmu.GR0.CR0.GCFGFRE', 'a fault that is not to be answered');
    }
    if (GFSR.value === 0) {
      GFSR[fault] = 1;
      GFAR.value = lo32(address);
      GFAR_HI.value = hi32(address);
      GFSYNR0.value = 0;
      GFSYNR0.WNR = write ? 1 : 0;
      GFSYNR1.value = 0;
      GFSYNR1.STREAMID = stream;
    } else {
      GFSR.MULTI = 1;
    }
    this.#ports.irq?.set(this.irqLevel);
    this.#ports.onRefused(transaction, 'abort');
    return answer.refuses(ANY_LENGTH);
  }

  reset(): void {
    this.regs.reset();
  }

  saveState(): StateValue {
    return this.regs.saveState();
  }

  restoreState(state: StateValue): void {
    this.regs.restoreState(state);
    this.#ports.irq?.restore(this.irqLevel);
  }

  /** A write of one of `count` groups; the others stay empty. */
  #ofGroup(register: 'SMR' | 'S2CR', count: number): WriteHook {
    const { name, onGuestError, remapped } = this.#ports;
    return (_written, _previous, index) => {
      const cell = this.regs[register](index);
      if (index >= count && cell.value !== 0) {
        onGuestError(`${name}.${register}: there is no group ${index}`);
        cell.value = 0;
      }
      remapped();
    };
  }

  #invalidate(scope: Scope, vmid: number): void {
    const what = { scope, tag: tagOf(1, vmid, 0), address: 0, isLeaf: false };
    this.#ports.invalidations.add(GLOBAL, what);
  }
}
