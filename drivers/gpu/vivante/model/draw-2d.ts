import { hex } from '../../../base/types/address';
import { i32 } from '../../../base/types/arrays';
import { UnmodelledError } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { StateValue } from '../../../base/types/state';
import { IdleBit } from '../regs';
import { DRAW_2D, Opcode, Recipient } from '../regs/command-stream';
import { DE, DeCommand, RopType } from '../regs/de';
import {
  LINE_BYTES,
  alignmentOf,
  bytesPerPixel,
  channelsOf,
  offsetOf,
  packPixel,
  unpackPixel,
} from '../regs/surface';
import type { Channels, Surface } from '../regs/surface';
import { GC_STATES } from '../regs/states';
import { FlushWork } from './flush';
import { LINE_WORDS } from './line-cache';
import type { LineCache } from './line-cache';
import { unitStates } from './states';
import type { UnitStates } from './states';
import type { Access, DrawCommand, GpuUnit, Progress, UnitPorts, UnitWork } from './unit';

const { PE2D } = GC_STATES.registers.FLUSH_CACHE.fields;

/** What a rectangle takes before its first pixel, and how many pixels go in a nanosecond: assumed. */
const RECTANGLE_NANOSECONDS = 100;
const PIXELS_PER_NANOSECOND = 2;

/** Pixels: top left inclusive, bottom right exclusive. */
interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Where the pixels of a rectangle come from: a colour, or a surface. */
interface Blit {
  readonly surface: Surface;
  /** Of ROP3, of which the pattern is left out. */
  readonly rop: number;
  /** Added to coordinates of the destination, or in place of a rectangle's top left corner. */
  readonly x: number;
  readonly y: number;
  readonly isRelative: boolean;
}

/** A draw, with its operands as they were when it was started. */
interface Operation {
  readonly target: Surface;
  /** Null: `colour` in place of a source. */
  readonly blit: Blit | null;
  readonly colour: number;
  readonly clip: Rectangle;
  readonly rectangles: readonly Rectangle[];
}

/** The drawing engine: see regs/de.ts. */
export class DrawingEngine implements GpuUnit {
  readonly name = 'DE';
  readonly idleBit = IdleBit.DE;
  readonly recipient = Recipient.DE;
  readonly states = DE;
  readonly draws: readonly number[] = [Opcode.Draw2d];
  readonly #ports: UnitPorts;
  readonly #cache: LineCache;
  readonly #states: UnitStates<typeof DE>;

  constructor(ports: UnitPorts, cache: LineCache) {
    this.#ports = ports;
    this.#cache = cache;
    this.#states = unitStates(DE, ports.onGuestError);
  }

  load(offset: number, value: number): 'loaded' | 'illegal' {
    return this.#states.load(offset, value) ? 'loaded' : 'illegal';
  }

  draw({ words }: DrawCommand): UnitWork | 'illegal' {
    const rectangles = rectanglesOf(words);
    if (rectangles === null) return this.#refuse(`DRAW_2D of ${words.length} words`);
    const operation = this.#operation(rectangles);
    return operation === 'illegal' ? operation : new BlitWork(operation, this.#cache);
  }

  flush(caches: number): UnitWork | null {
    return PE2D.of(caches) === 0 ? null : new FlushWork([this.#cache]);
  }

  reset(): void {
    this.#states.cells.reset();
    this.#cache.reset();
  }

  saveState(): StateValue {
    return { states: this.#states.cells.saveState(), cache: this.#cache.saveState() };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'de');
    this.#states.cells.restoreState(reader.value('states'));
    this.#cache.restoreState(reader.value('cache'));
  }

  #operation(rectangles: readonly Rectangle[]): Operation | 'illegal' {
    const { DEST_CONFIG, DEST_ADDRESS, DEST_STRIDE, ...regs } = this.#states.cells;
    const channels = formatOf('DEST_CONFIG', DEST_CONFIG.FORMAT);
    const target = this.#surface(DEST_ADDRESS.value, DEST_STRIDE.STRIDE, 'linear', channels);
    if (target === 'illegal') return target;
    const { COMMAND } = DEST_CONFIG;
    if (COMMAND !== DeCommand.Clear && COMMAND !== DeCommand.BitBlt) {
      throw new UnmodelledError('de.DEST_CONFIG.COMMAND', `command ${COMMAND}`);
    }
    const blit = COMMAND === DeCommand.Clear ? null : this.#blit();
    if (blit === 'illegal') return blit;
    const { CLIP_TOP_LEFT: from, CLIP_BOTTOM_RIGHT: to } = regs;
    return {
      target,
      blit,
      colour: packPixel(channels, regs.CLEAR_PIXEL_VALUE32.value),
      clip: { left: from.X, top: from.Y, right: to.X, bottom: to.Y },
      rectangles,
    };
  }

  #blit(): Blit | 'illegal' {
    const { SRC_CONFIG, SRC_ADDRESS, SRC_STRIDE, SRC_ORIGIN, ROP } = this.#states.cells;
    const channels = formatOf('SRC_CONFIG', SRC_CONFIG.SOURCE_FORMAT);
    const layout = SRC_CONFIG.TILED === 1 ? 'tiled' : 'linear';
    const surface = this.#surface(SRC_ADDRESS.value, SRC_STRIDE.STRIDE, layout, channels);
    if (surface === 'illegal') return surface;
    const rop = ROP.ROP_FG;
    if (ROP.TYPE !== RopType.Rop3 || rop >>> 4 !== (rop & 15)) {
      throw new UnmodelledError('de.ROP', `code ${hex(rop)} of type ${ROP.TYPE}`);
    }
    const isRelative = SRC_CONFIG.SRC_RELATIVE === 1;
    const coordinate = (value: number): number => (isRelative ? (value << 16) >> 16 : value);
    const { X, Y } = SRC_ORIGIN;
    return { surface, rop: rop & 15, x: coordinate(X), y: coordinate(Y), isRelative };
  }

  #surface(
    address: number,
    stride: number,
    layout: 'linear' | 'tiled',
    channels: Channels,
  ): Surface | 'illegal' {
    const unit = layout === 'linear' ? LINE_BYTES : alignmentOf(layout) * bytesPerPixel(channels);
    if (address % LINE_BYTES !== 0 || stride === 0 || stride % unit !== 0) {
      return this.#refuse(`a ${layout} surface at ${hex(address)} of stride ${stride}`);
    }
    return { address, stride, layout, channels };
  }

  #refuse(what: string): 'illegal' {
    this.#ports.onGuestError(`de: ${what}`);
    return 'illegal';
  }
}

/** UnmodelledError for what the sheet says is not modelled. */
const formatOf = (register: string, format: number): Channels => {
  const channels = channelsOf(format);
  if (channels === null) throw new UnmodelledError(`de.${register}`, `format ${format}`);
  return channels;
};

/** Null: the words are not as many as the header says. */
const rectanglesOf = (words: readonly number[]): readonly Rectangle[] | null => {
  const [header = 0] = words;
  const count = DRAW_2D.COUNT.of(header);
  const at = words.length - 2 * count;
  if (count === 0 || at < 1) return null;
  return Array.from({ length: count }, (_, i) => {
    const from = words[at + 2 * i] ?? 0;
    const to = words[at + 2 * i + 1] ?? 0;
    return {
      left: from & 0xffff,
      top: from >>> 16,
      right: to & 0xffff,
      bottom: to >>> 16,
    };
  });
};

/** A draw under way: rectangle by rectangle, pixel by pixel. */
class BlitWork implements UnitWork {
  readonly nanoseconds: number;
  readonly #operation: Operation;
  readonly #cache: LineCache;
  /** As drawn, and the corners before clipping: what a source that is not relative goes by. */
  readonly #rectangles: readonly { readonly drawn: Rectangle; readonly asked: Rectangle }[];
  #isBegun = false;
  #rectangle = 0;
  /** Pixels of the rectangle that are drawn. */
  #done = 0;
  /** A stored pixel. */
  #pixel = 0;

  constructor(operation: Operation, cache: LineCache) {
    this.#operation = operation;
    this.#cache = cache;
    const { clip, rectangles } = operation;
    this.#rectangles = rectangles.map(asked => ({ asked, drawn: intersect(asked, clip) }));
    const pixels = this.#rectangles.reduce((sum, { drawn }) => sum + areaOf(drawn), 0);
    this.nanoseconds =
      RECTANGLE_NANOSECONDS * rectangles.length + Math.ceil(pixels / PIXELS_PER_NANOSECOND);
  }

  run(): Progress {
    if (!this.#isBegun) this.#cache.beginWork();
    this.#isBegun = true;
    for (; this.#rectangle < this.#rectangles.length; this.#rectangle++) {
      const access = this.#draw();
      if (access !== 'ok') return access;
      this.#done = 0;
    }
    const ended = this.#cache.endWork();
    return ended === 'ok' ? 'done' : ended;
  }

  #draw(): Access {
    const rectangle = this.#rectangles[this.#rectangle];
    if (rectangle === undefined) return 'ok';
    const { drawn, asked } = rectangle;
    const { blit, target, colour } = this.#operation;
    const width = drawn.right - drawn.left;
    const shiftX = blit === null || blit.isRelative ? 0 : -asked.left;
    const shiftY = blit === null || blit.isRelative ? 0 : -asked.top;
    for (const pixels = areaOf(drawn); this.#done < pixels; this.#done++) {
      const x = drawn.left + (this.#done % width);
      const y = drawn.top + Math.floor(this.#done / width);
      this.#pixel = colour;
      if (blit !== null) {
        const access = this.#read(blit, x + shiftX + blit.x, y + shiftY + blit.y);
        if (access !== 'ok') return access;
      }
      const access = this.#write(target, blit?.rop ?? null, x, y, drawn);
      if (access !== 'ok') return access;
    }
    return 'ok';
  }

  /** A pixel of the source, in the destination's format. */
  #read({ surface }: Blit, x: number, y: number): Access {
    // Beyond its edges a surface goes on as addresses do.
    const address = (surface.address + offsetOf(surface, x, y)) >>> 0;
    const inLine = address % LINE_BYTES;
    const cache = this.#cache;
    const access = cache.acquire(address - inLine);
    if (access !== 'ok') return access;
    const word = i32(cache.words, cache.slot * LINE_WORDS + (inLine >>> 2));
    const { channels } = surface;
    const stored = channels === 'rgb565' ? (word >>> (8 * (inLine & 2))) & 0xffff : word;
    const to = this.#operation.target.channels;
    this.#pixel = channels === to ? stored : packPixel(to, unpackPixel(channels, stored));
    return 'ok';
  }

  #write(target: Surface, rop: number | null, x: number, y: number, drawn: Rectangle): Access {
    const address = (target.address + offsetOf(target, x, y)) >>> 0;
    const inLine = address % LINE_BYTES;
    const cache = this.#cache;
    const bytes = bytesPerPixel(target.channels);
    const isWhole = rop === null && inLine === 0 && x + LINE_BYTES / bytes <= drawn.right;
    const access = cache.acquire(address - inLine, isWhole);
    if (access !== 'ok') return access;
    const at = cache.slot * LINE_WORDS + (inLine >>> 2);
    const word = i32(cache.words, at);
    const shift = bytes === 4 ? 0 : 8 * (inLine & 2);
    const mask = bytes === 4 ? -1 : 0xffff;
    const below = (word >>> shift) & mask;
    const result = (rop === null ? this.#pixel : combine(rop, this.#pixel, below)) & mask;
    cache.words[at] = bytes === 4 ? result : (word & ~(mask << shift)) | (result << shift);
    cache.markDirty();
    return 'ok';
  }
}

/** Bit `destination + 2 source` of the code is the result, for each bit of the two. */
const combine = (rop: number, source: number, destination: number): number => {
  let result = 0;
  if ((rop & 1) !== 0) result |= ~source & ~destination;
  if ((rop & 2) !== 0) result |= ~source & destination;
  if ((rop & 4) !== 0) result |= source & ~destination;
  if ((rop & 8) !== 0) result |= source & destination;
  return result;
};

const intersect = (a: Rectangle, b: Rectangle): Rectangle => ({
  left: Math.max(a.left, b.left),
  top: Math.max(a.top, b.top),
  right: Math.min(a.right, b.right),
  bottom: Math.min(a.bottom, b.bottom),
});

const areaOf = ({ left, top, right, bottom }: Rectangle): number =>
  Math.max(0, right - left) * Math.max(0, bottom - top);
