import type { Scene } from '../scene';

export const gradient: Scene = {
  name: 'gradient',
  summary: 'four colours, one at each corner, interpolated',
  width: 256,
  height: 192,
  background: 0x000000,
  textures: {},
  batches: [
    {
      polygons: [
        [
          { at: [128, 96], colour: 0x808080 },
          { at: [0, 0], colour: 0xff0000 },
          { at: [256, 0], colour: 0xffff00 },
          { at: [256, 192], colour: 0x00ff00 },
          { at: [0, 192], colour: 0x0000ff },
          { at: [0, 0], colour: 0xff0000 },
        ],
      ],
    },
  ],
  fills: [],
  texts: [],
};
