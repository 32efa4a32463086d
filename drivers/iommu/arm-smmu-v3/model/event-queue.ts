import type { DmaMemory } from '../../../base/hw/dma-memory';
import { TxResult } from '../../../base/hw/mmio';
import { EVENT } from '../regs/events';
import type { Words } from '../regs/words';
import { entryAddress, isEmpty, isFull, nextIndex } from './ring';
import type { Ring } from './ring';

/** What the queue needs of the SMMU around it. */
export interface EventRecorderParts {
  readonly memory: DmaMemory;
  readonly isEnabled: () => boolean;
  /** EVENTQ_BASE, EVENTQ_PROD.WR and EVENTQ_CONS.RD as they are. */
  readonly ring: () => Ring;
  /** EVENTQ_PROD.WR is this from now on. */
  readonly produced: (index: number) => void;
  /** A record was lost: the queue was full. */
  readonly overflowed: () => void;
  /** A record could not be written: the bus answered no. */
  readonly aborted: () => void;
  /** The queue was empty, and is not any more. */
  readonly filled: () => void;
}

/** What became of a record. */
export type Recorded = 'written' | 'lost' | 'full';

/** Writes records into the event queue. */
export class EventRecorder {
  readonly #parts: EventRecorderParts;
  readonly #bytes = new Uint8Array(EVENT.SIZE);
  readonly #view = new DataView(this.#bytes.buffer);

  constructor(parts: EventRecorderParts) {
    this.#parts = parts;
  }

  /** A record of what is over: without room for it, it is lost, and that is told. */
  record(words: Words): void {
    if (this.offer(words) === 'full') this.#parts.overflowed();
  }

  /** A record that can wait: `full` leaves all as it was. */
  offer(words: Words): Recorded {
    const { aborted, filled, isEnabled, memory, produced, ring } = this.#parts;
    const queue = ring();
    if (!isEnabled()) return 'lost';
    if (isFull(queue)) return 'full';
    for (let i = 0; i < EVENT.WORDS; i++) this.#view.setUint32(4 * i, words[i] ?? 0, true);
    const at = entryAddress(queue, queue.producer, EVENT.SIZE);
    if (memory.write(at, EVENT.SIZE, this.#bytes, 0) !== TxResult.Ok) {
      aborted();
      return 'lost';
    }
    const wasEmpty = isEmpty(queue);
    produced(nextIndex(queue, queue.producer));
    if (wasEmpty) filled();
    return 'written';
  }
}
