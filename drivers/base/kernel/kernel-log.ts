/** How bad the kernel says that something is (KERN_ERR, KERN_WARNING, KERN_INFO). */
export type LogLevel = 'err' | 'warn' | 'info';

/** A line of the kernel's log, without a time. */
export interface LogLine {
  readonly level: LogLevel;
  readonly text: string;
}

/** A device, as its messages name it (dev_driver_string, dev_name). */
export interface LogDevice {
  readonly name: string;
  readonly driver: string | null;
}

/** Lines that are kept; later ones are only counted. */
const MOST_LINES = 1024;

/** What the kernel says, in its own words (printk). Nothing depends on it. */
export class KernelLog {
  readonly lines: LogLine[] = [];
  /** Lines beyond those that are kept. */
  dropped = 0;
  readonly #once = new Set<string>();

  print(level: LogLevel, text: string): void {
    if (this.lines.length < MOST_LINES) this.lines.push({ level, text });
    else this.dropped++;
  }

  /** The driver's and the device's name before the text (dev_printk). */
  device(level: LogLevel, { driver, name }: LogDevice, text: string): void {
    this.print(level, `${driver ?? 'platform'} ${name}: ${text}`);
  }

  /** Printed the first time only, whatever the text says: one `key` a place (dev_warn_once). */
  once(key: string, print: () => void): void {
    if (this.#once.has(key)) return;
    this.#once.add(key);
    print();
  }
}
