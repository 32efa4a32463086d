import type { Corner, Scene } from '../scene';

const SPOKES = 12;

/** A corner of the wheel, sixteenths of a pixel exactly: the same on every host. */
const rim = (spoke: number, radius: number): readonly [number, number] => {
  // cos of multiples of 30 degrees, in sixteenths of 16.
  const cosines = [256, 222, 128, 0, -128, -222, -256, -222, -128, 0, 128, 222];
  const cos = cosines[spoke % SPOKES] ?? 0;
  const sin = cosines[(spoke + 9) % SPOKES] ?? 0;
  return [128 + (radius * cos) / 256, 96 + (radius * sin) / 256];
};

const HUES = [0xe04040, 0xe09040, 0xd0d040, 0x60c040, 0x40b0a0, 0x4080e0];

const spokes = (radius: number, turn: number): (readonly Corner[])[] =>
  Array.from({ length: SPOKES }, (_, i) => [
    { at: [128, 96], colour: 0xffffff },
    { at: rim(i, radius), colour: HUES[(i + turn) % HUES.length] ?? 0 },
    { at: rim(i + 1, radius), colour: HUES[(i + turn + 1) % HUES.length] ?? 0 },
  ]);

export const triangles: Scene = {
  name: 'triangles',
  summary: 'a wheel of triangles with common edges, and translucent ones over it',
  width: 256,
  height: 192,
  background: 0x10141c,
  textures: {},
  batches: [
    { polygons: spokes(80, 0) },
    { alpha: 31, polygons: spokes(48, 3) },
    {
      alpha: 40,
      polygons: [
        [
          { at: [8, 184], colour: 0x00ffff },
          { at: [120, 20], colour: 0x0000ff },
          { at: [150, 170], colour: 0xff00ff },
        ],
        [
          { at: [248, 8], colour: 0xffff00 },
          { at: [250, 180], colour: 0xff4000 },
          { at: [110, 120], colour: 0x80ff00 },
        ],
      ],
    },
  ],
  fills: [],
  texts: [],
};
