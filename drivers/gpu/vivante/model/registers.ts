import type { GuestErrorSink } from '../../../base/hw/device';
import { registerFile } from '../../../base/hw/register-file';
import type { RegisterFile } from '../../../base/hw/register-file';
import { GC_LITE, StopCause } from '../regs';
import type { AddressSpaces } from './address-spaces';
import type { FaultQueue } from './fault-queue';
import type { FrontEnd } from './front-end';
import type { Interrupts } from './interrupts';

/** What accesses to registers act upon; it is made after them. */
export interface BehindRegisters {
  readonly interrupts: Interrupts;
  readonly queue: FaultQueue;
  readonly spaces: AddressSpaces;
  readonly frontEnd: FrontEnd;
  readonly softReset: () => void;
  /** What IDLE_STATE reads, and CLOCK_CONTROL. */
  readonly idleState: () => number;
  readonly clockControl: () => number;
}

export interface GcRegistersParts {
  readonly version: 1 | 2;
  readonly onGuestError: GuestErrorSink;
  readonly behind: () => BehindRegisters;
}

/** Bits of CHIP_FEATURE: PIPE_3D, DEBUG_MODE, PIPE_2D, MEM32, FE20. */
const FEATURES = 0x1200_0214;
/** Of CHIP_MINOR_FEATURE_1. */
const MMU_VERSION_2 = 2 ** 28;

/** The registers that the CPU sees, and what it does by them. */
export const gcRegisters = (parts: GcRegistersParts): RegisterFile<typeof GC_LITE> => {
  const { version, onGuestError, behind } = parts;
  const isV2 = version === 2;
  const updateIrq = (): void => {
    behind().interrupts.update();
  };
  const regs: RegisterFile<typeof GC_LITE> = registerFile(GC_LITE, {
    onGuestError,
    resets: {
      CHIP_FEATURE: FEATURES,
      CHIP_MODEL: isV2 ? 0x3000 : 0x2000,
      CHIP_MINOR_FEATURE_1: isV2 ? MMU_VERSION_2 : 0,
    },
    onWrite: {
      CLOCK_CONTROL: (written, previous) => {
        const { SOFT_RESET } = GC_LITE.registers.CLOCK_CONTROL.fields;
        if (SOFT_RESET.of(written) === 1 && SOFT_RESET.of(previous) === 0) behind().softReset();
      },
      INTR_ENBL: updateIrq,
      MMU_CONTROL: written => {
        if (!isV2 && written !== 0) onGuestError('MMU_CONTROL of an MMU of version 1');
      },
      COMMAND_CONTROL: written => {
        const { ENABLE, PREFETCH } = GC_LITE.registers.COMMAND_CONTROL.fields;
        const { frontEnd } = behind();
        if (ENABLE.of(written) === 0) frontEnd.reset();
        else frontEnd.start(regs.COMMAND_ADDRESS.value, PREFETCH.of(written));
      },
      X_FAULTQ_ENTRIES: () => {
        behind().queue.restart();
      },
      X_INTR: updateIrq,
      X_INTR_ENBL: updateIrq,
      X_REPLAY: written => {
        const { RETRY, CANCEL } = GC_LITE.registers.X_REPLAY.fields;
        behind().spaces.replay(RETRY.of(written), CANCEL.of(written));
      },
      'X_AS.COMMAND': (written, _previous, index) => {
        const { CODE } = GC_LITE.arrays.X_AS.registers.COMMAND.fields;
        behind().spaces.command(index, CODE.of(written));
      },
    },
    onRead: {
      CLOCK_CONTROL: () => behind().clockControl(),
      IDLE_STATE: () => behind().idleState(),
      INTR_ACKNOWLEDGE: () => behind().interrupts.acknowledge(),
      DMA_DEBUG_STATE: () => behind().frontEnd.cmdState,
      DMA_ADDRESS: () => behind().frontEnd.address,
      DMA_LOW: () => behind().frontEnd.word(0),
      DMA_HIGH: () => behind().frontEnd.word(1),
      X_FE_STOP: () => {
        const { CAUSE, OPCODE } = GC_LITE.registers.X_FE_STOP.fields;
        const { cause, opcode } = behind().frontEnd;
        return CAUSE.at(cause) + OPCODE.at(cause === StopCause.None ? 0 : opcode);
      },
    },
  });
  return regs;
};
