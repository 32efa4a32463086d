import type { Scene } from '../scene';

export const text: Scene = {
  name: 'text',
  summary: 'bars and letters by the 2D engine: fills, and blits with raster operations',
  width: 256,
  height: 128,
  background: 0x284058,
  textures: {},
  batches: [],
  fills: [
    { from: [0, 0], to: [256, 24], colour: 0xc05020 },
    { from: [16, 56], to: [128, 80], colour: 0xf0e0a0 },
    { from: [16, 96], to: [64, 120], colour: 0xd02020 },
    { from: [64, 96], to: [112, 120], colour: 0x20d020 },
    { from: [112, 96], to: [160, 120], colour: 0x2020d0 },
    { from: [160, 96], to: [208, 120], colour: 0xd0d0d0 },
  ],
  texts: [
    { at: [8, 5], text: 'DMABENCH', ink: 'white' },
    { at: [16, 32], text: 'THE QUICK BROWN FOX', ink: 'white' },
    { at: [24, 60], text: 'JUMPS OVER', ink: 'black' },
    { at: [20, 100], text: 'LAZY DOGS 01234', ink: 'invert' },
  ],
};
