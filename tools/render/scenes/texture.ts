import type { Corner, Scene } from '../scene';

const quad = (
  [left, top]: readonly [number, number],
  [right, bottom]: readonly [number, number],
  texels: number,
): readonly Corner[] => [
  { at: [left, top], uv: [0, 0] },
  { at: [right, top], uv: [texels, 0] },
  { at: [right, bottom], uv: [texels, texels] },
  { at: [left, bottom], uv: [0, texels] },
];

export const texture: Scene = {
  name: 'texture',
  summary: 'textures enlarged, filtered or not, one to one, and receding',
  width: 256,
  height: 256,
  background: 0x202830,
  textures: {
    rings: {
      ...{ pattern: 'rings', size: 32, cell: 3, colours: [0xf0c040, 0x702020] },
      ...{ format: 'xrgb8888', layout: 'tiled' },
    },
    bricks: {
      ...{ pattern: 'bricks', size: 64, cell: 8, colours: [0xb05030, 0xd8d0c8] },
      ...{ format: 'rgb565', layout: 'linear' },
    },
    checker: {
      ...{ pattern: 'checker', size: 64, cell: 8, colours: [0xf8f8f8, 0x183858] },
      ...{ format: 'xrgb8888', layout: 'tiled' },
    },
  },
  batches: [
    { texture: 'rings', filter: 'nearest', polygons: [quad([8, 8], [120, 120], 32)] },
    { texture: 'rings', filter: 'linear', polygons: [quad([136, 8], [248, 120], 32)] },
    { texture: 'bricks', filter: 'nearest', polygons: [quad([8, 136], [120, 248], 112)] },
    {
      ...{ texture: 'checker', filter: 'linear', perspective: true },
      polygons: [
        [
          { at: [170, 136], uv: [0, 0], w: 4 },
          { at: [214, 136], uv: [128, 0], w: 4 },
          { at: [248, 248], uv: [128, 256], w: 1 },
          { at: [136, 248], uv: [0, 256], w: 1 },
        ],
      ],
    },
  ],
  fills: [],
  texts: [],
};
