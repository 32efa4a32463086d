import type { GuestErrorSink } from '../../../base/hw/device';
import type { DmaPort } from '../../../base/hw/dma-port';
import type { EventQueue, Timer } from '../../../base/hw/event-queue';
import { TxResult } from '../../../base/hw/mmio';
import type { RegisterFile } from '../../../base/hw/register-file';
import { dmaAddr } from '../../../base/types/address';
import type { DmaAddr } from '../../../base/types/address';
import { join64 } from '../../../base/types/bits';
import { DESCRIPTOR, DESCRIPTOR_FLAGS, MAX_ENTRIES } from '../regs';
import type { TEST_MASTER } from '../regs';

/** What a descriptor takes, whatever it says; and the time between two looks at the next one. */
const DESCRIPTOR_NANOSECONDS = 200;
const LOOK_NANOSECONDS = 100;
/** From LENGTH up to SEED: what a descriptor tells the device. */
const OPERANDS = {
  at: DESCRIPTOR.LENGTH,
  size: DESCRIPTOR.MISMATCHES - DESCRIPTOR.LENGTH,
} as const;

/** What a command was given when it was written, or a descriptor said. */
export interface Transfer {
  readonly address: DmaAddr;
  readonly length: number;
  readonly seed: number;
}

/** What the ring needs of the device around it. */
export interface RingParts {
  readonly name: string;
  readonly dma: DmaPort;
  readonly events: EventQueue;
  readonly regs: RegisterFile<typeof TEST_MASTER>;
  readonly onGuestError: GuestErrorSink;
  /** Carries a transfer out, and leaves in MISMATCHES how many bytes differed. */
  readonly move: (transfer: Transfer, isWrite: boolean) => TxResult;
  /** A descriptor is done, or the ring has halted at it. */
  readonly finish: (result: TxResult) => void;
}

/** What became of the descriptor that is worked on. */
interface Work {
  result: TxResult;
  isHalted: boolean;
}

/** The device's side of the descriptor ring: see regs.ts. */
export class DescriptorRing {
  readonly #parts: RingParts;
  readonly #words = new Uint8Array(DESCRIPTOR.SIZE);
  readonly #view = new DataView(this.#words.buffer);
  #work: Timer | null = null;
  /** Of the next look at a descriptor that nobody has promised. */
  #look: Timer | null = null;

  constructor(parts: RingParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#work === null && this.#look === null;
  }

  /** RING_ENTRIES was written: the ring anew, from descriptor 0. */
  start(): void {
    const { name, regs, onGuestError } = this.#parts;
    const { RING_ENTRIES, RING_HEAD, RING_TAIL, RING_POLLS, STATUS } = regs;
    if (RING_ENTRIES.COUNT > MAX_ENTRIES) {
      onGuestError(`${name}.RING_ENTRIES: ${RING_ENTRIES.COUNT} are more than ${MAX_ENTRIES}`);
      RING_ENTRIES.COUNT = 0;
    }
    if (this.#work !== null) STATUS.BUSY = 0;
    this.stop();
    RING_HEAD.value = 0;
    RING_TAIL.INDEX = 0;
    RING_POLLS.COUNT = 0;
    STATUS.HALTED = 0;
  }

  /** RING_TAIL was written; an index that is not one of the ring's leaves it as it was. */
  promise(previous: number): void {
    const { name, regs, onGuestError } = this.#parts;
    const { RING_ENTRIES, RING_TAIL } = regs;
    const { INDEX } = RING_TAIL;
    if (INDEX < RING_ENTRIES.COUNT) {
      this.next();
      return;
    }
    RING_TAIL.value = previous;
    onGuestError(`${name}.RING_TAIL: there is no descriptor ${INDEX} of ${RING_ENTRIES.COUNT}`);
  }

  /** The next descriptor is worked on if it was promised, else it is looked at, a while from now. */
  next(): void {
    const { RING_ENTRIES, RING_HEAD, RING_TAIL, RING_POLLS, STATUS } = this.#parts.regs;
    if (RING_ENTRIES.COUNT === 0 || STATUS.BUSY === 1 || STATUS.HALTED === 1) return;
    if (RING_HEAD.value !== RING_TAIL.INDEX) {
      this.#workOn(null);
      return;
    }
    if (this.#look !== null || RING_POLLS.COUNT === 0) return;
    const { name, events } = this.#parts;
    this.#look = events.after(LOOK_NANOSECONDS, `${name} look`, () => {
      this.#look = null;
      this.#lookAtNext();
    });
  }

  /** Gives up what is under way. */
  stop(): void {
    const { dma, events } = this.#parts;
    if (this.#work !== null) dma.abort(this.#work);
    if (this.#look !== null) events.cancel(this.#look);
    this.#work = null;
    this.#look = null;
  }

  /** A transfer that was commanded meanwhile comes first: its end leads to `next`. */
  #lookAtNext(): void {
    const { regs, dma } = this.#parts;
    const { RING_HEAD, RING_TAIL, RING_POLLS, STATUS } = regs;
    if (STATUS.BUSY === 1) return;
    if (RING_HEAD.value === RING_TAIL.INDEX) {
      RING_POLLS.COUNT -= 1;
      const result = dma.poll(this.#addressOf(DESCRIPTOR.FLAGS), 4, this.#words);
      const flags = this.#view.getUint32(0, true);
      if (result === TxResult.Ok && DESCRIPTOR_FLAGS.OWN.of(flags) === 1) {
        this.#workOn(flags);
        return;
      }
    }
    this.next();
  }

  /** `flags`: those of the descriptor, if they were looked at; else they are read with the rest. */
  #workOn(flags: number | null): void {
    const { dma, regs } = this.#parts;
    const work: Work = { result: TxResult.Ok, isHalted: false };
    regs.STATUS.BUSY = 1;
    this.#work = dma.transfer(
      DESCRIPTOR_NANOSECONDS,
      () => {
        this.#carryOut(flags, work);
      },
      () => {
        this.#end(work);
      },
    );
  }

  #carryOut(known: number | null, work: Work): void {
    const { dma } = this.#parts;
    if (known === null) {
      work.result = dma.fetch(this.#addressOf(DESCRIPTOR.FLAGS), 4, this.#words);
    }
    const flags = known ?? this.#view.getUint32(0, true);
    const isOurs = work.result === TxResult.Ok && DESCRIPTOR_FLAGS.OWN.of(flags) === 1;
    if (isOurs) {
      const { at, size } = OPERANDS;
      work.result = dma.fetch(this.#addressOf(at), size, this.#words, at);
    }
    work.isHalted = !isOurs || work.result !== TxResult.Ok;
    if (!work.isHalted) this.#obey(flags, work);
  }

  /** The data first, then what came of it, and the word that gives the descriptor back last. */
  #obey(flags: number, work: Work): void {
    const { dma, move, regs } = this.#parts;
    const view = this.#view;
    const address = join64(
      view.getUint32(DESCRIPTOR.ADDRESS_LO, true),
      view.getUint32(DESCRIPTOR.ADDRESS_HI, true),
    );
    const length = view.getUint32(DESCRIPTOR.LENGTH, true);
    const seed = view.getUint32(DESCRIPTOR.SEED, true);
    const isWrite = DESCRIPTOR_FLAGS.WRITE.of(flags) === 1;
    work.result = move({ address: dmaAddr(address), length, seed }, isWrite);
    view.setUint32(0, regs.MISMATCHES.value, true);
    dma.write(this.#addressOf(DESCRIPTOR.MISMATCHES), 4, this.#words);
    const { DONE, RESULT } = DESCRIPTOR_FLAGS;
    view.setUint32(0, DONE.at(1) + RESULT.at(work.result), true);
    dma.write(this.#addressOf(DESCRIPTOR.FLAGS), 4, this.#words);
  }

  #end({ result, isHalted }: Work): void {
    const { finish, regs } = this.#parts;
    this.#work = null;
    if (isHalted) regs.STATUS.HALTED = 1;
    else this.#advance();
    finish(result);
  }

  /** One that was found, not promised, takes the tail along: nothing behind it is promised. */
  #advance(): void {
    const { RING_ENTRIES, RING_HEAD, RING_TAIL } = this.#parts.regs;
    const wasPromised = RING_HEAD.value !== RING_TAIL.INDEX;
    RING_HEAD.value = (RING_HEAD.value + 1) % RING_ENTRIES.COUNT;
    if (!wasPromised) RING_TAIL.INDEX = RING_HEAD.value;
  }

  /** The bus address of a byte of the descriptor that is next. */
  #addressOf(offset: number): DmaAddr {
    const { RING_ADDRESS_LO, RING_ADDRESS_HI, RING_HEAD } = this.#parts.regs;
    const ring = join64(RING_ADDRESS_LO.value, RING_ADDRESS_HI.value);
    return dmaAddr(ring + RING_HEAD.value * DESCRIPTOR.SIZE + offset);
  }
}
