import type { KernelIo } from '../../../base/kernel/io';
import { bugOn } from '../../../base/kernel/oops';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr } from '../../../base/types/address';
import { END, LINK, OPCODE, Opcode, QWORD, TOKEN, WAIT, loadState } from '../regs/command-stream';

const WORD = 4;

/** Where commands are put: a piece of memory that the CPU stores into and the front end fetches. */
export class CommandWriter {
  /** Bytes written so far. */
  used = 0;
  readonly #io: KernelIo;
  readonly #cpuAddr: CpuAddr;
  readonly #size: number;

  constructor(io: KernelIo, cpuAddr: CpuAddr, size: number) {
    this.#io = io;
    this.#cpuAddr = cpuAddr;
    this.#size = size;
  }

  /** 64-bit words written so far: what a prefetch count is in. */
  get qwords(): number {
    return Math.ceil(this.used / QWORD);
  }

  word(value: number): void {
    bugOn(this.used + WORD > this.#size, 'a command buffer overflows');
    this.#io.relaxed.writel(value, offsetBy(this.#cpuAddr, this.used));
    this.used += WORD;
  }

  /** Stores a word that was written before again. */
  patch(offset: number, value: number): void {
    this.#io.relaxed.writel(value, offsetBy(this.#cpuAddr, offset));
  }

  /** One state (CMD_LOAD_STATE). */
  state(offset: number, value: number): void {
    this.word(loadState(offset, 1));
    this.word(value);
  }

  end(): void {
    this.word(OPCODE.at(Opcode.End) + END.EVENT_ENABLE.at(0));
    this.word(0);
  }

  /** Waits so many cycles. */
  wait(cycles: number): void {
    this.word(OPCODE.at(Opcode.Wait) + WAIT.DELAY.at(cycles));
    this.word(0);
  }

  /** Goes on at `target`, of which so many 64-bit words are fetched. */
  link(prefetch: number, target: number): void {
    this.word(linkHeader(prefetch));
    this.word(target);
  }

  /** The front end goes on when `to` has done all that it was told before (CMD_SEM, CMD_STALL). */
  stall(semaphore: number, from: number, to: number): void {
    const token = TOKEN.FROM.at(from) + TOKEN.TO.at(to);
    this.state(semaphore, token);
    this.word(OPCODE.at(Opcode.Stall));
    this.word(token);
  }
}

/** The header of a LINK. */
export const linkHeader = (prefetch: number): number =>
  OPCODE.at(Opcode.Link) + LINK.PREFETCH.at(prefetch);
