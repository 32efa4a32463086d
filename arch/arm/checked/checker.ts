import type { Pulse } from '../../../drivers/base/hw/pulse';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import { u8 } from '../../../drivers/base/types/arrays';
import type {
  AccessKind,
  Accessor,
  HardwareObserver,
  MemoryWatch,
} from '../../../drivers/base/types/observer';
import { LineStates } from '../coherence/line-states';
import type { StateSets } from '../coherence/sets';
import { StoryRecorder } from '../coherence/story';
import { BESIDE, WATCHED } from '../coherence/verdicts';
import { highMask, lowMask } from './byte-masks';
import { Overwritten } from './polls';
import type { Polls } from './polls';
import type { TranslationHooks } from './translation-hooks';

/** What a frame is to the checker, as bits. */
const TOUCHED = 1;
const TABLE = 2;

/**
 * What all CPUs and masters of a checked machine share: the possible states of every line, and
 * where verdicts go. Memory itself always holds the latest bytes; nothing here changes them.
 */
export class Checker implements MemoryWatch {
  readonly lines: LineStates;
  /** log2 of the words of a line. */
  readonly lineShift: number;
  readonly lineBytes: number;
  /** Bytes that one write-back may overwrite: a line, or a wider one farther out. */
  readonly granule: number;
  /** For polls that come after what they wait for. */
  readonly overwritten: Overwritten;
  /** What each that polls was answered: the CPUs together, and every device. */
  readonly pollers: Polls[] = [];
  observer: HardwareObserver | null = null;
  translations: TranslationHooks | null = null;
  /**
   * There is an outer cache and it is off. The states know it as on, so a line is pushed through
   * it before anything that looks beyond the inner caches.
   */
  isOuterOff: boolean;
  /** The CPU whose access to a device is under way. */
  accessingCpu = 0;

  readonly #ram: Ram;
  readonly #pulse: Pulse;
  #recorder: StoryRecorder | null = null;
  readonly #hasOuter: boolean;
  #frames = new Uint8Array(256);
  /** By line: how many observers watch it. What else is kept off the fast path is nobody's. */
  readonly #watched = new Map<number, number>();
  readonly #polled = new Set<number>();

  constructor(sets: StateSets, lineBytes: number, cpus: number, ram: Ram, pulse: Pulse) {
    this.lines = new LineStates(sets, lineBytes, cpus);
    this.lineBytes = lineBytes;
    this.granule = lineBytes * sets.profile.neighbours;
    this.lineShift = Math.log2(lineBytes / 4);
    this.overwritten = new Overwritten(ram);
    this.#ram = ram;
    this.#pulse = pulse;
    this.#hasOuter = sets.profile.outer !== 'none';
    this.isOuterOff = this.#hasOuter;
  }

  /**
   * From now on the history of the lines at these physical addresses is written down: of a machine
   * that has just been switched on, all of it.
   */
  record(addresses: readonly number[]): StoryRecorder {
    const { lines, lineBytes } = this;
    const now = (): number => this.#pulse.now;
    const recorder = new StoryRecorder({ sets: lines.sets, bytes: lineBytes, now });
    lines.recorder = recorder;
    this.#recorder = recorder;
    const { neighbours } = lines.sets.profile;
    const wide = addresses.map(address => this.lineAt(address)).map(n => n - (n % neighbours));
    const recorded = wide.flatMap(first => Array.from({ length: neighbours }, (_, n) => first + n));
    for (const line of new Set(recorded)) {
      const start = Array.from({ length: lineBytes }, (_, byte) => lines.setOf(line, byte));
      recorder.begin(line, this.#ram.addressOf(line << this.lineShift), start);
      lines.watch(line);
      lines.record(line);
    }
    return recorder;
  }

  /** The line at a physical address of RAM. */
  lineAt(address: number): number {
    return this.lineOf(this.#ram.wordOf(address));
  }

  /** The line of a physical word. */
  lineOf(word: number): number {
    return word >>> this.lineShift;
  }

  /** A frame is about to be reached: its lines learn which levels translations reach. */
  touch(frame: number): void {
    if (frame < this.#frames.length && (u8(this.#frames, frame) & TOUCHED) !== 0) return;
    this.#mark(frame, TOUCHED);
    const live = this.translations?.liveOf(frame) ?? 0;
    this.lines.begin(this.lineOf(frame * PAGE_WORDS), PAGE_WORDS >>> this.lineShift, live);
  }

  /** Which levels translations of a frame reach has changed. */
  liveChanged(frame: number, live: number): void {
    this.eachLineOf(frame, line => {
      this.lines.map(line, live);
    });
  }

  /** From now on stores to a frame are told to the translations, for it holds tables; or no more. */
  setTable(frame: number, isTable: boolean): void {
    if (this.isTable(frame) === isTable) return;
    this.eachLineOf(frame, line => {
      if (isTable) this.lines.watch(line);
      else this.lines.unwatch(line);
    });
    this.#mark(frame, TABLE);
    if (!isTable) this.#frames[frame] = u8(this.#frames, frame) & ~TABLE;
  }

  isTable(frame: number): boolean {
    return frame < this.#frames.length && (u8(this.#frames, frame) & TABLE) !== 0;
  }

  /** Calls back for each line of each frame that was ever touched. */
  eachLine(visit: (line: number) => void): void {
    for (let frame = 0; frame < this.#ram.frames; frame++) {
      const isTouched = frame < this.#frames.length && (u8(this.#frames, frame) & TOUCHED) !== 0;
      if (isTouched) this.eachLineOf(frame, visit);
    }
  }

  eachLineOf(frame: number, visit: (line: number) => void): void {
    const first = this.lineOf(frame * PAGE_WORDS);
    const end = first + (PAGE_WORDS >>> this.lineShift);
    for (let line = first; line < end; line++) visit(line);
  }

  /** Before an access beyond the inner caches: what an outer cache that is off cannot hold. */
  beforeOuter(line: number): void {
    if (!this.isOuterOff) return;
    this.lines.bypassOuter(line);
    this.lines.barriers.outerSync();
  }

  /** Maintenance of a line, by whichever CPU and at whichever level. */
  maintained(line: number): void {
    for (const polls of this.pollers) polls.maintained(line);
  }

  /** A CPU polls a line: from now on `told` hears of stores to it. */
  polled(line: number): void {
    if (this.#polled.has(line)) return;
    this.#polled.add(line);
    this.lines.watch(line);
  }

  /** The outer cache is switched on, or off for good. */
  setOuter(enabled: boolean): void {
    if (enabled && this.isOuterOff) {
      this.eachLine(line => {
        this.lines.bypassOuter(line);
      });
      this.lines.barriers.outerSync();
    }
    this.isOuterOff = this.#hasOuter && !enabled;
  }

  /** Tells what an access of a CPU to `size` bytes at byte `offset` of a word turned out to be. */
  told(
    verdict: number,
    cpu: number,
    access: AccessKind,
    word: number,
    offset: number,
    size: number,
  ): void {
    const { observer } = this;
    this.#recorder?.told(this.#pulse.now, { kind: 'cpu', cpu });
    const address = this.#ram.addressOf(word) + offset;
    const bits = verdict & ~(WATCHED | BESIDE);
    if (bits !== 0 && observer !== null) {
      this.#verdict(bits, { kind: 'cpu', cpu }, access, address, size);
    }
    if ((verdict & BESIDE) !== 0) this.#toldBeside(cpu, access);
    if ((verdict & WATCHED) === 0) return;
    if (observer !== null && this.#watched.has(this.lineOf(word))) {
      observer.cpuTouches(this.#pulse.now, cpu, access, address, size);
    }
    if (access === 'store' && this.isTable(word >>> PAGE_WORDS_SHIFT)) {
      this.translations?.tableStored(cpu, address - offset);
    }
  }

  /** As `told`, of a walker or a device. */
  verdict(verdict: number, by: Accessor, access: AccessKind, address: number, size: number): void {
    const bits = verdict & ~WATCHED;
    if (bits !== 0) this.#verdict(bits, by, access, address, size);
  }

  /** A master is about to reach bytes. */
  deviceTouches(device: string, write: boolean, address: number, size: number): void {
    this.#recorder?.told(this.#pulse.now, { kind: 'device', name: device, snoops: false });
    this.observer?.deviceTouches(this.#pulse.now, device, write, address, size);
  }

  watch(address: number, size: number): void {
    this.#eachPiece(address, size, line => {
      this.lines.watch(line);
      this.#watched.set(line, (this.#watched.get(line) ?? 0) + 1);
    });
  }

  unwatch(address: number, size: number): void {
    this.#eachPiece(address, size, line => {
      const count = this.#watched.get(line) ?? 0;
      if (count === 0) return;
      this.lines.unwatch(line);
      if (count === 1) this.#watched.delete(line);
      else this.#watched.set(line, count - 1);
    });
  }

  forget(address: number, size: number): void {
    this.#eachPiece(address, size, (line, offset, bytes) => {
      this.lines.forget(line, lowMask(offset, bytes), highMask(offset, bytes));
    });
  }

  /** An access of a CPU means something for lines that are in a wider one with its own. */
  #toldBeside(cpu: number, access: AccessKind): void {
    for (const { line, verdict } of this.lines.takeBeside()) {
      const address = this.#ram.addressOf(line << this.lineShift);
      this.#verdict(verdict, { kind: 'cpu', cpu }, access, address, this.lineBytes);
    }
  }

  #verdict(bits: number, by: Accessor, access: AccessKind, address: number, size: number): void {
    this.observer?.verdict({ event: this.#pulse.now, by, access, address, size, bits });
  }

  /** The pieces of lines that bytes of RAM consist of; what is no RAM is nobody's. */
  #eachPiece(
    address: number,
    size: number,
    visit: (line: number, offset: number, size: number) => void,
  ): void {
    for (let done = 0; done < size;) {
      const from = address + done;
      const offset = from % this.lineBytes;
      const bytes = Math.min(size - done, this.lineBytes - offset);
      const word = this.#ram.wordOf(from);
      if (word >= 0) {
        this.touch(word >>> PAGE_WORDS_SHIFT);
        visit(this.lineOf(word), offset, bytes);
      }
      done += bytes;
    }
  }

  #mark(frame: number, bit: number): void {
    if (frame >= this.#frames.length) {
      const larger = new Uint8Array(Math.max(2 * this.#frames.length, frame + 1));
      larger.set(this.#frames);
      this.#frames = larger;
    }
    this.#frames[frame] = u8(this.#frames, frame) | bit;
  }
}
