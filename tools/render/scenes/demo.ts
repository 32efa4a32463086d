import type { Scene } from '../scene';

/** The corners of a cube, turned and projected. */
const A = { at: [144.9375, 89.8125], w: 3.903 } as const;
const B = { at: [232.625, 105.125], w: 2.934 } as const;
const C = { at: [228.125, 202.75], w: 3.748 } as const;
const D = { at: [156.5, 170], w: 4.716 } as const;
const E = { at: [270.375, 83.8125], w: 4.484 } as const;
const F = { at: [261.4375, 156.125], w: 5.297 } as const;
const G = { at: [200.9375, 76.625], w: 5.452 } as const;

export const demo: Scene = {
  name: 'demo',
  summary: 'a sky, a floor that recedes, a cube with three textures, translucent triangles, text',
  width: 320,
  height: 240,
  background: 0x203048,
  textures: {
    floor: {
      ...{ pattern: 'checker', size: 128, cell: 16, colours: [0xe8e0d0, 0x405068] },
      ...{ format: 'xrgb8888', layout: 'tiled' },
    },
    bricks: {
      ...{ pattern: 'bricks', size: 64, cell: 8, colours: [0xb05030, 0xd8d0c8] },
      ...{ format: 'rgb565', layout: 'linear' },
    },
    rings: {
      ...{ pattern: 'rings', size: 64, cell: 5, colours: [0xf0c040, 0x208060] },
      ...{ format: 'xrgb8888', layout: 'tiled' },
    },
  },
  batches: [
    {
      polygons: [
        [
          { at: [0, 0], colour: 0x182850 },
          { at: [320, 0], colour: 0x182850 },
          { at: [320, 114], colour: 0xf0b078 },
          { at: [0, 114], colour: 0xf0b078 },
        ],
        [
          { at: [60, 62], colour: 0xfffff0 },
          { at: [90, 62], colour: 0xf8d868 },
          { at: [81, 41], colour: 0xf8d868 },
          { at: [60, 32], colour: 0xf8d868 },
          { at: [39, 41], colour: 0xf8d868 },
          { at: [30, 62], colour: 0xf8d868 },
          { at: [39, 83], colour: 0xf8d868 },
          { at: [60, 92], colour: 0xf8d868 },
          { at: [81, 83], colour: 0xf8d868 },
          { at: [90, 62], colour: 0xf8d868 },
        ],
      ],
    },
    {
      ...{ texture: 'floor', filter: 'linear', perspective: true },
      polygons: [
        [
          { at: [10, 114], uv: [-160, 640], w: 10 },
          { at: [310, 114], uv: [160, 640], w: 10 },
          { at: [1660, 240], uv: [160, 64], w: 1 },
          { at: [-1340, 240], uv: [-160, 64], w: 1 },
        ],
        [
          { at: [0, 114], uv: [-171, 640], w: 10 },
          { at: [10, 114], uv: [-160, 640], w: 10 },
          { at: [-1340, 240], uv: [-160, 64], w: 1 },
        ],
        [
          { at: [310, 114], uv: [160, 640], w: 10 },
          { at: [320, 114], uv: [171, 640], w: 10 },
          { at: [1660, 240], uv: [160, 64], w: 1 },
        ],
      ],
    },
    {
      ...{ texture: 'bricks', filter: 'nearest', perspective: true },
      polygons: [
        [
          { ...A, uv: [0, 0] },
          { ...B, uv: [64, 0] },
          { ...C, uv: [64, 64] },
          { ...D, uv: [0, 64] },
        ],
      ],
    },
    {
      ...{ texture: 'bricks', filter: 'linear', perspective: true, modulate: true },
      polygons: [
        [
          { ...B, uv: [0, 0], colour: 0x909090 },
          { ...E, uv: [64, 0], colour: 0x606060 },
          { ...F, uv: [64, 64], colour: 0x404040 },
          { ...C, uv: [0, 64], colour: 0x707070 },
        ],
      ],
    },
    {
      ...{ texture: 'rings', filter: 'linear', perspective: true, wrap: 'clamp' },
      polygons: [
        [
          { ...G, uv: [0, 0] },
          { ...E, uv: [64, 0] },
          { ...B, uv: [64, 64] },
          { ...A, uv: [0, 64] },
        ],
      ],
    },
    {
      alpha: 30,
      polygons: [
        [
          { at: [20, 226], colour: 0x00e0ff },
          { at: [70, 120], colour: 0x2040ff },
          { at: [120, 226], colour: 0x00e0ff },
        ],
        [
          { at: [70, 232], colour: 0xff40c0 },
          { at: [120, 140], colour: 0xffe040 },
          { at: [160, 232], colour: 0xff40c0 },
        ],
      ],
    },
  ],
  fills: [
    { from: [0, 0], to: [320, 24], colour: 0x101820 },
    { from: [0, 24], to: [320, 26], colour: 0xe05030 },
  ],
  texts: [
    { at: [8, 5], text: 'DMABENCH', ink: 'white' },
    { at: [206, 5], text: 'GC-LITE', ink: 'white' },
    { at: [206, 216], text: 'RS DE PE', ink: 'invert' },
  ],
};
