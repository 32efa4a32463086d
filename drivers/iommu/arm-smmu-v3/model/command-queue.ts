import type { DmaMemory } from '../../../base/hw/dma-memory';
import type { EventQueue, Timer } from '../../../base/hw/event-queue';
import { TxResult } from '../../../base/hw/mmio';
import { CommandError } from '../regs';
import { COMMAND } from '../regs/commands';
import type { Words } from '../regs/words';
import { entryAddress, isEmpty, nextIndex } from './ring';
import type { Ring } from './ring';

const NANOSECONDS_PER_COMMAND = 20;

/** What the queue needs of the SMMU around it. */
export interface CommandQueueParts {
  readonly name: string;
  readonly memory: DmaMemory;
  readonly events: EventQueue;
  /** CMDQ_BASE, CMDQ_PROD.WR and CMDQ_CONS.RD as they are. */
  readonly ring: () => Ring;
  /** Whether it may go on: CMDQEN, and no CMDQ_ERR that software has not seen. */
  readonly isRunning: () => boolean;
  /** Carries a command out. */
  readonly carryOut: (command: Words) => CommandError;
  /** CMDQ_CONS.RD is this from now on. */
  readonly consumed: (index: number) => void;
  /** Stops at this error. */
  readonly failed: (error: CommandError) => void;
}

/** Consumes commands, one after the other, each in its time. */
export class CommandQueue {
  readonly #parts: CommandQueueParts;
  readonly #bytes = new Uint8Array(COMMAND.SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #words: Words = new Uint32Array(COMMAND.WORDS);
  #timer: Timer | null = null;

  constructor(parts: CommandQueueParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#timer === null;
  }

  /** There may be something to do: an index, an enable or an acknowledgement was written. */
  kick(): void {
    const { events, isRunning, name, ring } = this.#parts;
    if (this.#timer !== null || !isRunning() || isEmpty(ring())) return;
    this.#timer = events.after(NANOSECONDS_PER_COMMAND, `${name} command`, () => {
      this.#timer = null;
      if (isRunning() && !isEmpty(ring())) this.#consume(ring());
      this.kick();
    });
  }

  stop(): void {
    if (this.#timer !== null) this.#parts.events.cancel(this.#timer);
    this.#timer = null;
  }

  #consume(ring: Ring): void {
    const { memory, carryOut, consumed, failed } = this.#parts;
    const at = entryAddress(ring, ring.consumer, COMMAND.SIZE);
    const result = memory.read(at, COMMAND.SIZE, this.#bytes, 0, 'fetch');
    for (let i = 0; i < COMMAND.WORDS; i++) this.#words[i] = this.#view.getUint32(4 * i, true);
    const error = result === TxResult.Ok ? carryOut(this.#words) : CommandError.Abort;
    if (error === CommandError.None) consumed(nextIndex(ring, ring.consumer));
    else failed(error);
  }
}
