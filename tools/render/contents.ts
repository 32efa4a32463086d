import { SUBPIXEL_BITS, SUBTEXEL_BITS } from '../../drivers/gpu/vivante/regs/pe';
import { offsetOf, packPixel } from '../../drivers/gpu/vivante/regs/surface';
import type { Surface } from '../../drivers/gpu/vivante/regs/surface';
import { CHARACTERS, GLYPH_HEIGHT, GLYPH_WIDTH, isDot } from './font';
import type { Batch, Corner, Scene, TextureSpec } from './scene';
import { texelOf } from './scene';

/*
 * What the CPU puts into memory for the GPU: words, in the order of their addresses.
 */

const WORD_BYTES = 4;
const TWO_16 = 0x1_0000;
const TWO_32 = 0x1_0000_0000;

/** Q of a corner that is not far away. */
const NEAR = 0x8000;
const WHITE = 0xff_ffff;

/** A signed number as the bits of a word or a part of one. */
const unsigned = (value: number, modulus: number): number =>
  ((value % modulus) + modulus) % modulus;

const vertexWords = ({
  at: [x, y],
  uv: [u, v] = [0, 0],
  w = 1,
  colour = WHITE,
}: Corner): number[] => {
  const pixels = (value: number): number => Math.round(value * 2 ** SUBPIXEL_BITS);
  const texels = (value: number): number => Math.round(value * 2 ** SUBTEXEL_BITS);
  return [
    unsigned(pixels(y), TWO_16) * TWO_16 + unsigned(pixels(x), TWO_16),
    unsigned(texels(u), TWO_32),
    unsigned(texels(v), TWO_32),
    Math.max(1, Math.min(TWO_16 - 1, Math.round(NEAR / w))),
    colour,
  ];
};

/** Three corners for each triangle of a batch. */
const cornersOf = ({ polygons }: Batch): readonly Corner[] =>
  polygons.flatMap(polygon => {
    const [first, ...rest] = polygon;
    return rest.slice(1).flatMap((corner, i) => {
      const before = rest[i];
      return first === undefined || before === undefined ? [] : [first, before, corner];
    });
  });

/** Triangles of a batch. */
export const trianglesOf = (batch: Batch): number => cornersOf(batch).length / 3;

/** The vertices of all batches, one batch after the other. */
export const vertexBuffer = ({ batches }: Scene): readonly number[] =>
  batches.flatMap(batch => cornersOf(batch).flatMap(vertexWords));

/** How a texture lies at an address. */
export const textureSurface = (spec: TextureSpec, address: number): Surface => ({
  address,
  stride: spec.size * (spec.format === 'rgb565' ? 2 : WORD_BYTES),
  layout: spec.layout,
  channels: spec.format,
});

/** The texels of a texture. */
export const textureWords = (spec: TextureSpec): readonly number[] => {
  const surface = textureSurface(spec, 0);
  const words = Array<number>((surface.stride * spec.size) / WORD_BYTES).fill(0);
  for (let y = 0; y < spec.size; y++) {
    for (let x = 0; x < spec.size; x++) {
      const offset = offsetOf(surface, x, y);
      const at = Math.floor(offset / WORD_BYTES);
      const stored = packPixel(spec.format, texelOf(spec, x, y));
      words[at] = (words[at] ?? 0) + stored * 2 ** (8 * (offset % WORD_BYTES));
    }
  }
  return words;
};

/** Pixels of a dot of a letter, and of the cell that it has in the atlas. */
const DOT = 2;
const CELL = 16;
const CELLS_PER_ROW = 8;
/** From one letter to the next. */
export const ADVANCE = DOT * (GLYPH_WIDTH + 1);
export const LETTER = { width: DOT * GLYPH_WIDTH, height: DOT * GLYPH_HEIGHT } as const;

const ATLAS_ROWS = Math.ceil(CHARACTERS.length / CELLS_PER_ROW);

/** How the atlas lies at an address: letters white on black. */
export const atlasSurface = (address: number): Surface => ({
  address,
  stride: CELL * CELLS_PER_ROW * WORD_BYTES,
  layout: 'linear',
  channels: 'xrgb8888',
});

/** Where a character is in the atlas; null for a blank and whatever else there is none of. */
export const glyphAt = (character: string): { readonly x: number; readonly y: number } | null => {
  const index = CHARACTERS.indexOf(character);
  if (index < 0) return null;
  return { x: CELL * (index % CELLS_PER_ROW), y: CELL * Math.floor(index / CELLS_PER_ROW) };
};

/** The pixels of the atlas. */
export const atlasWords = (): readonly number[] => {
  const width = CELL * CELLS_PER_ROW;
  return Array.from({ length: width * CELL * ATLAS_ROWS }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const character =
      CHARACTERS[Math.floor(y / CELL) * CELLS_PER_ROW + Math.floor(x / CELL)] ?? ' ';
    const [column, row] = [Math.floor((x % CELL) / DOT), Math.floor((y % CELL) / DOT)];
    const isWithin = column < GLYPH_WIDTH && row < GLYPH_HEIGHT;
    return isWithin && isDot(character, column, row) ? WHITE : 0;
  });
};
