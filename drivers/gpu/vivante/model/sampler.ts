import { i32 } from '../../../base/types/arrays';
import { SUBTEXEL_BITS, TextureWrap } from '../regs/pe';
import { LINE_BYTES, offsetOf, unpackPixel } from '../regs/surface';
import type { Surface } from '../regs/surface';
import { LINE_WORDS } from './line-cache';
import type { LineCache } from './line-cache';
import type { Access } from './unit';

/** A texture and how it is sampled. */
export interface Texture {
  readonly surface: Surface;
  readonly width: number;
  readonly height: number;
  /** LINEAR, else NEAREST. */
  readonly isLinear: boolean;
  /** Values of TextureWrap. */
  readonly wrapU: number;
  readonly wrapV: number;
}

const ONE = 2 ** SUBTEXEL_BITS;

/** `part` of the way from one colour channel to another, kept with 8 bits behind the point. */
const mix = (from: number, to: number, part: number): number => from * (ONE - part) + to * part;

/** The texture stage's sampler: texels through the texture cache. */
export class Sampler {
  /** What was sampled last, 0xAARRGGBB. */
  texel = 0;
  readonly #cache: LineCache;
  readonly #texture: Texture;

  constructor(cache: LineCache, texture: Texture) {
    this.#cache = cache;
    this.#texture = texture;
  }

  /** Coordinates as vertices have them. Unless `ok`, `texel` is meaningless. */
  sample(u: number, v: number): Access {
    if (!this.#texture.isLinear) return this.#fetch(u >> SUBTEXEL_BITS, v >> SUBTEXEL_BITS);
    const left = u - ONE / 2;
    const top = v - ONE / 2;
    const x = left >> SUBTEXEL_BITS;
    const y = top >> SUBTEXEL_BITS;
    let access = this.#fetch(x, y);
    const a = this.texel;
    if (access === 'ok') access = this.#fetch(x + 1, y);
    const b = this.texel;
    if (access === 'ok') access = this.#fetch(x, y + 1);
    const c = this.texel;
    if (access === 'ok') access = this.#fetch(x + 1, y + 1);
    const d = this.texel;
    if (access !== 'ok') return access;
    const partX = left & (ONE - 1);
    const partY = top & (ONE - 1);
    let texel = 0;
    for (let shift = 0; shift < 32; shift += 8) {
      const upper = mix((a >>> shift) & 0xff, (b >>> shift) & 0xff, partX);
      const lower = mix((c >>> shift) & 0xff, (d >>> shift) & 0xff, partX);
      texel |= (mix(upper, lower, partY) >>> (2 * SUBTEXEL_BITS)) << shift;
    }
    this.texel = texel;
    return 'ok';
  }

  #fetch(x: number, y: number): Access {
    const { surface, width, height, wrapU, wrapV } = this.#texture;
    const column = wrap(x, width, wrapU);
    const row = wrap(y, height, wrapV);
    const address = (surface.address + offsetOf(surface, column, row)) >>> 0;
    const inLine = address % LINE_BYTES;
    const cache = this.#cache;
    const access = cache.acquire(address - inLine);
    if (access !== 'ok') return access;
    const word = i32(cache.words, cache.slot * LINE_WORDS + (inLine >>> 2));
    const stored = surface.channels === 'rgb565' ? (word >>> (8 * (inLine & 2))) & 0xffff : word;
    this.texel = unpackPixel(surface.channels, stored);
    return 'ok';
  }
}

const wrap = (coordinate: number, size: number, mode: number): number => {
  if (mode === TextureWrap.ClampToEdge) return Math.max(0, Math.min(size - 1, coordinate));
  const rest = coordinate % size;
  return rest < 0 ? rest + size : rest;
};
