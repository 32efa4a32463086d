import type { CallSite } from '../drivers/base/types/call-site';
import type { ByteRange } from '../drivers/base/types/finding';

/**
 * Which of the kernel's checks speaks: its number in the order of kernel/dma/debug.c of 6.12 (1 to
 * 23; 15 is dead code there), or one of the two that came later. `warning`: a WARN that is none of
 * them, and is not counted as an error.
 */
export type Check = number | 'attributes' | 'RAM as resource' | 'warning';

/** A line that the kernel would have printed, and what it is about. */
export interface DmaDebugMessage {
  readonly check: Check;
  /** `DMA-API: driver device: text`, without the end of the line. */
  readonly text: string;
  readonly device: string;
  /** The call that was wrong, and the mapping that it was about ("Mapped at:"). */
  readonly site: CallSite;
  readonly mappedAt: CallSite | null;
  /** Physical addresses; null where none is known. */
  readonly range: ByteRange | null;
}

/** More are counted and not kept. */
const MOST_KEPT = 1024;
/** NAME_MAX_LEN - 1. */
const NAME_BYTES = 63;
/** What stands for the driver that a device does not have: its bus. */
const NO_DRIVER = 'platform';

/** What is printed and what is only counted: the writable files of /sys/kernel/debug/dma-api. */
export class DebugLog {
  /** all_errors: Linux begins with false, and then prints one message. Here each one counts. */
  allErrors = true;
  /** num_errors: how many are printed still where not all are. */
  numErrors = 1;
  readonly messages: DmaDebugMessage[] = [];
  /** What else the kernel prints: `DMA-API: text`. */
  readonly notices: string[] = [];
  readonly #tell: (message: DmaDebugMessage) => void;
  #errorCount = 0;
  #filter = '';

  constructor(tell: (message: DmaDebugMessage) => void) {
    this.#tell = tell;
  }

  /** error_count: all errors, those of other drivers too. */
  get errorCount(): number {
    return this.#errorCount;
  }

  /** driver_filter: the only driver whose errors are printed; empty: all. */
  get filter(): string {
    return this.#filter;
  }

  /** dma_debug_driver=, at boot: all of the text counts. */
  filterAtBoot(name: string): void {
    this.#filter = name.slice(0, NAME_BYTES);
    if (this.#filter !== '') this.notice(`enable driver filter for driver [${this.#filter}]`);
  }

  /** What a user writes to driver_filter: its first word counts (filter_write). */
  writeFilter(text: string): void {
    const written = text.slice(0, NAME_BYTES);
    if (!/^[a-z0-9]/i.test(written)) {
      if (this.#filter !== '') this.notice('switching off dma-debug driver filter');
      this.#filter = '';
      return;
    }
    this.#filter = /^[^\s\0]*/.exec(written)?.[0] ?? '';
    this.notice(`enable driver filter for driver [${this.#filter}]`);
  }

  notice(text: string): void {
    if (this.notices.length < MOST_KEPT) this.notices.push(`DMA-API: ${text}`);
  }

  /** err_printk. */
  error(driver: string, message: DmaDebugMessage): void {
    this.#errorCount++;
    if (this.#passes(driver) && (this.allErrors || this.numErrors > 0)) this.warn(message);
    if (!this.allErrors && this.numErrors > 0) this.numErrors--;
  }

  /** What is printed in any case. */
  warn(message: DmaDebugMessage): void {
    if (this.messages.length < MOST_KEPT) this.messages.push(message);
    this.#tell(message);
  }

  #passes(driver: string): boolean {
    if (this.#filter === '') return true;
    return driver !== NO_DRIVER && driver.slice(0, NAME_BYTES) === this.#filter;
  }
}
