import { SUPERTILE, offsetOf } from '../../drivers/gpu/vivante/regs/surface';
import type { Surface } from '../../drivers/gpu/vivante/regs/surface';
import { invariant } from '../../drivers/base/types/errors';
import type { BugName } from './bugs';
import { ADVANCE, LETTER, glyphAt, trianglesOf } from './contents';
import type { Batch, Scene, Text } from './scene';
import { Stream } from './stream';
import type { PlacedTexture } from './stream';

/** Where the GPU has what a scene is drawn with. */
export interface PlacedScene {
  /** Supertiled: what triangles are drawn on. */
  readonly target: Surface;
  /** Linear: what is seen. */
  readonly scanout: Surface;
  readonly textures: ReadonlyMap<string, PlacedTexture>;
  readonly vertices: number;
  readonly atlas: Surface;
}

/** The target is cleared and all batches are drawn. */
export const drawing = (scene: Scene, placed: PlacedScene, bug: BugName | null): Stream => {
  const { width, height, background, batches } = scene;
  const { target, vertices } = placed;
  const stream = new Stream();
  stream.pipe('3d');
  stream.clear(target, width, height, background);
  stream.stall('PE');
  stream.drawTo(target, width, height, vertices);
  let start = 0;
  for (const batch of batches) {
    const triangles = trianglesOf(batch);
    stream.draw(batch, textureOf(batch, placed), start, triangles);
    start += 3 * triangles;
  }
  if (bug !== 'missing-colour-flush') stream.flush('COLOR');
  if (bug !== 'missing-stall') stream.stall('PE');
  return stream;
};

const textureOf = ({ texture }: Batch, { textures }: PlacedScene): PlacedTexture | null => {
  if (texture === undefined) return null;
  const placed = textures.get(texture);
  invariant(placed !== undefined, `a scene without a texture '${texture}'`);
  return placed;
};

/**
 * The target is made the picture that is seen: a stream for each row of supertiles, the lowest first, as what is
 * drawn last tends to be there and is the most likely to be kept where it is found soon.
 */
export const resolving = (scene: Scene, { target, scanout }: PlacedScene): readonly Stream[] => {
  const bands = Math.ceil(scene.height / SUPERTILE);
  return Array.from({ length: bands }, (_, band) => {
    const y = (bands - 1 - band) * SUPERTILE;
    const stream = new Stream();
    const from = { ...target, address: target.address + offsetOf(target, 0, y) };
    const to = { ...scanout, address: scanout.address + offsetOf(scanout, 0, y) };
    stream.resolve(from, to, scene.width, Math.min(SUPERTILE, scene.height - y));
    stream.stall('PE');
    return stream;
  });
};

/** What the 2D engine puts on top. */
export const overlay = (scene: Scene, { scanout, atlas }: PlacedScene): Stream => {
  const stream = new Stream();
  stream.pipe('2d');
  stream.drawTo2d(scanout, scene.width, scene.height);
  for (const { from, to, colour } of scene.fills) {
    const [x, y] = from;
    stream.fill({ x, y, width: to[0] - x, height: to[1] - y }, colour);
  }
  for (const text of scene.texts) letters(stream, text, atlas);
  stream.flush('PE2D');
  stream.stall('DE');
  stream.pipe('3d');
  return stream;
};

const letters = (stream: Stream, { at, text, ink }: Text, atlas: Surface): void => {
  const [left, y] = at;
  Array.from(text, (character, i) => {
    const glyph = glyphAt(character);
    if (glyph === null) return;
    const area = { x: left + i * ADVANCE, y, ...LETTER };
    // Letters are white on black: `black` takes their dots away, `white` puts them there.
    const rop = { white: 'Or', black: 'AndInverted', invert: 'Xor' } as const;
    stream.blit(atlas, glyph.x, glyph.y, area, rop[ink]);
  });
};
