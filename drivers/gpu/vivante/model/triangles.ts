import { f64, i32, u8 } from '../../../base/types/arrays';
import { OPAQUE } from '../regs/pe';
import { LINE_BYTES, TILE, bytesPerPixel, offsetOf, packPixel, unpackPixel } from '../regs/surface';
import type { Surface } from '../regs/surface';
import { LINE_WORDS } from './line-cache';
import type { LineCache } from './line-cache';
import { Raster, WEIGHT_ONE } from './raster';
import type { Vertex } from './raster';
import { Sampler } from './sampler';
import type { Texture } from './sampler';
import type { Access, GpuMemory, Progress, UnitWork } from './unit';

/** What a triangle takes: assumed. */
const TRIANGLE_NANOSECONDS = 1000;

const PIXELS = TILE * TILE;
const ALL_PIXELS = 2 ** PIXELS - 1;

/** A draw, with its operands as they were when it was started. */
export interface TriangleDraw {
  /** Address of the first vertex, and bytes from one to the next. */
  readonly vertices: number;
  readonly vertexStride: number;
  /** Triangles. */
  readonly count: number;
  readonly target: Surface;
  /** Pixels that may be drawn: inclusive, exclusive. */
  readonly window: {
    readonly left: number;
    readonly top: number;
    readonly right: number;
    readonly bottom: number;
  };
  /** Bits of a stored pixel that are written. */
  readonly mask: number;
  /** What is drawn whole need not be read before. */
  readonly overwrites: boolean;
  readonly texture: Texture | null;
  readonly isPerspective: boolean;
  readonly isModulated: boolean;
  /** Null: no texel is left out. */
  readonly chromaKey: number | null;
  readonly alpha: number;
}

/** What draws go through. */
export interface TriangleParts {
  readonly memory: GpuMemory;
  readonly colour: LineCache;
  readonly texels: LineCache;
  /** What is wrong with a vertex; then the draw ends as with a fault. */
  readonly onGuestError: (text: string) => void;
}

const signed16 = (value: number): number => (value << 16) >> 16;

/** channel × (factor + 1) / 256 of each of three channels. */
const modulate = (texel: number, colour: number): number => {
  let result = texel & ~0xff_ffff;
  for (let shift = 0; shift < 24; shift += 8) {
    const product = ((texel >>> shift) & 0xff) * (((colour >>> shift) & 0xff) + 1);
    result |= (product >>> 8) << shift;
  }
  return result;
};

const blend = (source: number, below: number, alpha: number): number => {
  let result = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    const sum =
      ((source >>> shift) & 0xff) * (alpha + 1) + ((below >>> shift) & 0xff) * (OPAQUE - alpha);
    result |= (sum >>> 6) << shift;
  }
  return result;
};

/** A draw under way: triangle by triangle, tile by tile; a tile is drawn whole or not at all. */
export class TriangleWork implements UnitWork {
  readonly nanoseconds: number;
  readonly #draw: TriangleDraw;
  readonly #parts: TriangleParts;
  readonly #raster = new Raster();
  readonly #sampler: Sampler | null;
  readonly #bytes = new Uint8Array(3 * 256);
  /** 0xAARRGGBB by pixel of the tile. */
  readonly #colours = new Int32Array(PIXELS);
  #isBegun = false;
  #triangle = 0;
  #isSetUp = false;
  #x = 0;
  #y = 0;

  constructor(draw: TriangleDraw, parts: TriangleParts) {
    this.#draw = draw;
    this.#parts = parts;
    this.#sampler = draw.texture === null ? null : new Sampler(parts.texels, draw.texture);
    this.nanoseconds = TRIANGLE_NANOSECONDS * Math.max(1, draw.count);
  }

  run(): Progress {
    const { colour, texels } = this.#parts;
    if (!this.#isBegun) {
      this.#isBegun = true;
      colour.beginWork();
      texels.beginWork();
    }
    for (; this.#triangle < this.#draw.count; this.#triangle++) {
      const access = this.#isSetUp ? 'ok' : this.#setUp();
      if (access !== 'ok') return access;
      const drawn = this.#isSetUp ? this.#tiles() : 'ok';
      if (drawn !== 'ok') return drawn;
      this.#isSetUp = false;
    }
    const ended = colour.endWork();
    return ended === 'ok' ? 'done' : ended;
  }

  /** Fetches the corners. Sets #isSetUp if there is something to draw. */
  #setUp(): Access {
    const { vertices, vertexStride, window } = this.#draw;
    const first = vertices + this.#triangle * 3 * vertexStride;
    const access = this.#parts.memory.read(first, 3 * vertexStride, this.#bytes, 0);
    if (access !== 'ok') return access;
    const raster = this.#raster;
    const corners = [0, 1, 2].map(corner => this.#vertex(corner * vertexStride));
    const [a, b, c] = corners;
    if (a === undefined || b === undefined || c === undefined) return 'fault';
    if (corners.some(({ q }) => q === 0)) {
      this.#parts.onGuestError(`pe: triangle ${this.#triangle} has a corner of Q 0`);
      return 'fault';
    }
    if (!raster.setUp(a, b, c)) return 'ok';
    this.#isSetUp = true;
    this.#x = this.#firstColumn();
    const top = Math.max(raster.top, window.top);
    this.#y = top - (top % TILE);
    return 'ok';
  }

  #firstColumn(): number {
    const left = Math.max(this.#raster.left, this.#draw.window.left);
    return left - (left % TILE);
  }

  #vertex(at: number): Vertex {
    const word = (index: number): number => {
      const from = at + 4 * index;
      const bytes = this.#bytes;
      const low = u8(bytes, from) | (u8(bytes, from + 1) << 8);
      return low | (u8(bytes, from + 2) << 16) | (u8(bytes, from + 3) << 24);
    };
    const position = word(0);
    return {
      x: signed16(position),
      y: position >> 16,
      u: clampTexel(word(1)),
      v: clampTexel(word(2)),
      q: word(3) & 0xffff,
      colour: word(4) & 0xff_ffff,
    };
  }

  #tiles(): Access {
    const { window } = this.#draw;
    const right = Math.min(this.#raster.right, window.right);
    const bottom = Math.min(this.#raster.bottom, window.bottom);
    for (; this.#y < bottom; this.#y += TILE) {
      for (; this.#x < right; this.#x += TILE) {
        const access = this.#tile();
        if (access !== 'ok') return access;
      }
      this.#x = this.#firstColumn();
    }
    return 'ok';
  }

  #tile(): Access {
    const covered = this.#raster.tile(this.#x, this.#y) & this.#inWindow();
    if (covered === 0) return 'ok';
    const drawn = this.#shade(covered);
    if (typeof drawn === 'string') return drawn;
    return drawn === 0 ? 'ok' : this.#store(drawn);
  }

  #inWindow(): number {
    const { left, top, right, bottom } = this.#draw.window;
    const x = this.#x;
    const y = this.#y;
    if (x >= left && y >= top && x + TILE <= right && y + TILE <= bottom) return ALL_PIXELS;
    let inside = 0;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const column = x + (pixel & 3);
      const row = y + (pixel >> 2);
      const isInside = column >= left && column < right && row >= top && row < bottom;
      if (isInside) inside |= 1 << pixel;
    }
    return inside;
  }

  /** Colours of the covered pixels; which of them are drawn. */
  #shade(covered: number): number | Access {
    const { chromaKey, isModulated } = this.#draw;
    const sampler = this.#sampler;
    let drawn = covered;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      if ((covered & (1 << pixel)) === 0) continue;
      if (sampler === null) {
        this.#colours[pixel] = this.#colourOf(pixel);
        continue;
      }
      const access = this.#sampleAt(sampler, pixel);
      if (access !== 'ok') return access;
      const { texel } = sampler;
      if (chromaKey !== null && (texel & 0xff_ffff) === chromaKey) drawn &= ~(1 << pixel);
      this.#colours[pixel] = isModulated ? modulate(texel, this.#colourOf(pixel)) : texel;
    }
    return drawn;
  }

  #sampleAt(sampler: Sampler, pixel: number): Access {
    const raster = this.#raster;
    if (raster.corners === null) return 'fault';
    const [v0, v1, v2] = raster.corners;
    if (!this.#draw.isPerspective) {
      return sampler.sample(
        raster.affine(pixel, v0.u, v1.u, v2.u),
        raster.affine(pixel, v0.v, v1.v, v2.v),
      );
    }
    const b0 = f64(raster.weights0, pixel);
    const b1 = f64(raster.weights1, pixel);
    const q0 = b0 * v0.q;
    const q1 = b1 * v1.q;
    const q2 = (WEIGHT_ONE - b0 - b1) * v2.q;
    const q = q0 + q1 + q2;
    return sampler.sample(
      Math.floor((q0 * v0.u + q1 * v1.u + q2 * v2.u) / q),
      Math.floor((q0 * v0.v + q1 * v1.v + q2 * v2.v) / q),
    );
  }

  #colourOf(pixel: number): number {
    const raster = this.#raster;
    if (raster.corners === null) return 0;
    const [v0, v1, v2] = raster.corners;
    if (v0.colour === v1.colour && v1.colour === v2.colour) return v0.colour | ~0xff_ffff;
    let colour = ~0xff_ffff;
    for (let shift = 0; shift < 24; shift += 8) {
      const c0 = (v0.colour >>> shift) & 0xff;
      const c1 = (v1.colour >>> shift) & 0xff;
      const c2 = (v2.colour >>> shift) & 0xff;
      colour |= raster.affine(pixel, c0, c1, c2) << shift;
    }
    return colour;
  }

  /** Puts the drawn pixels of the tile into the colour cache. */
  #store(drawn: number): Access {
    const { target, mask, overwrites, alpha } = this.#draw;
    const { colour } = this.#parts;
    const address = (target.address + offsetOf(target, this.#x, this.#y)) >>> 0;
    const inLine = address % LINE_BYTES;
    const bytes = bytesPerPixel(target.channels);
    const isWhole =
      overwrites && drawn === ALL_PIXELS && bytes === 4 && mask === -1 && alpha === OPAQUE;
    const access = colour.acquire(address - inLine, isWhole);
    if (access !== 'ok') return access;
    const { words } = colour;
    const base = colour.slot * LINE_WORDS + (inLine >>> 2);
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      if ((drawn & (1 << pixel)) === 0) continue;
      const at = bytes === 4 ? base + pixel : base + (pixel >>> 1);
      const shift = bytes === 4 ? 0 : 16 * (pixel & 1);
      const below = bytes === 4 ? i32(words, at) : (i32(words, at) >>> shift) & 0xffff;
      const source = i32(this.#colours, pixel);
      const result =
        alpha === OPAQUE ? source : blend(source, unpackPixel(target.channels, below), alpha);
      const stored = (below & ~mask) | (packPixel(target.channels, result) & mask);
      words[at] = bytes === 4 ? stored : (i32(words, at) & ~(0xffff << shift)) | (stored << shift);
    }
    colour.markDirty();
    return 'ok';
  }
}

/** U and V beyond what the sheet says are taken as its limits: -2048 and just below 2048 texels. */
const clampTexel = (value: number): number => Math.max(-0x8_0000, Math.min(0x7_ffff, value));
