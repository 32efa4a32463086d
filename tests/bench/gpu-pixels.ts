import { LOAD_STATE, OPCODE, Opcode } from '../../drivers/gpu/vivante/regs/command-stream';
import type { Surface } from '../../drivers/gpu/vivante/regs/surface';
import { planOptions } from '../../tools/options';
import { bootToDraw, draw, openWithGpu } from '../../tools/render/boot';
import type { RenderSeed } from '../../tools/render/boot';
import {
  textureSurface,
  textureWords,
  trianglesOf,
  vertexBuffer,
} from '../../tools/render/contents';
import type { Batch, Corner, Scene, TextureSpec } from '../../tools/render/scene';
import { demo } from '../../tools/render/scenes/demo';
import { Stream } from '../../tools/render/stream';
import { EngineBench } from '../drivers/gpu/vivante/engine-bench';
import { ROUNDS, millionsPerSecond, printTable } from './measure';

const SIZE = 256;
const PIXELS = SIZE * SIZE;
/** Of one measurement. */
const TIMES = 8;
const TARGET: Surface = {
  ...{ address: 0x4_0000, stride: 4 * SIZE, layout: 'supertiled', channels: 'xrgb8888' },
};
const LINEAR: Surface = { ...TARGET, address: 0x8_0000, layout: 'linear' };
const OTHER: Surface = { ...LINEAR, address: 0xc_0000 };
const VERTICES = 0x1_0000;
const TEXTURE = 0x2_0000;
const ALL = { x: 0, y: 0, width: SIZE, height: SIZE } as const;

const spec: TextureSpec = {
  ...{ pattern: 'rings', size: 64, cell: 5, colours: [0xf0c040, 0x208060] },
  ...{ format: 'xrgb8888', layout: 'tiled' },
};

const quad: readonly Corner[] = [
  { at: [0, 0], uv: [0, 0], colour: 0xff0000, w: 2 },
  { at: [SIZE, 0], uv: [SIZE, 0], colour: 0xff00, w: 2 },
  { at: [SIZE, SIZE], uv: [SIZE, SIZE], colour: 0xff },
  { at: [0, SIZE], uv: [0, SIZE], colour: 0xffffff },
];

/** The engines without a front end: what a stream says is done at once. */
const execute = (bench: EngineBench, { words }: Stream): void => {
  for (let at = 0; at < words.length;) {
    const header = words[at] ?? 0;
    const opcode = OPCODE.of(header);
    const isDraw = opcode === Opcode.DrawPrimitives || opcode === Opcode.Draw2d;
    if (isDraw) {
      bench.draw(opcode === Opcode.Draw2d ? 'DE' : 'PE', ...words.slice(at, at + 4));
    } else if (opcode === Opcode.LoadState) {
      const offset = 4 * LOAD_STATE.OFFSET.of(header);
      const claims = bench.units.find(({ states }) => isStateOf(states.layout.registers, offset));
      if (claims !== undefined) bench.load(claims.name, offset, words[at + 1] ?? 0);
    }
    at += isDraw ? 4 : 2;
  }
};

const isStateOf = (registers: readonly { readonly at: number }[], offset: number): boolean =>
  registers.some(({ at }) => at === offset);

const triangles = (bench: EngineBench, batch: Batch, stream: Stream): void => {
  const scene: Scene = { ...demo, batches: [batch] };
  const view = new DataView(bench.bytes.buffer);
  vertexBuffer(scene).forEach((word, i) => {
    view.setUint32(VERTICES + 4 * i, word, true);
  });
  textureWords(spec).forEach((word, i) => {
    view.setUint32(TEXTURE + 4 * i, word, true);
  });
  const texture = { spec, surface: textureSurface(spec, TEXTURE) };
  stream.drawTo(TARGET, SIZE, SIZE, VERTICES);
  stream.draw(batch, batch.texture === undefined ? null : texture, 0, trianglesOf(batch));
};

const OPERATIONS: readonly (readonly [string, (bench: EngineBench, stream: Stream) => void])[] = [
  [
    'resolve: fill',
    (_, stream) => {
      stream.clear(TARGET, SIZE, SIZE, 0x123456);
    },
  ],
  [
    'resolve: supertiled to linear',
    (_, stream) => {
      stream.resolve(TARGET, LINEAR, SIZE, SIZE);
    },
  ],
  [
    'triangles: interpolated colours',
    (bench, stream) => {
      triangles(bench, { polygons: [quad] }, stream);
    },
  ],
  [
    'triangles: a texture',
    (bench, stream) => {
      triangles(bench, { polygons: [quad], texture: 'rings' }, stream);
    },
  ],
  [
    'triangles: filtered, in perspective, modulated',
    (bench, stream) => {
      const how = { filter: 'linear', perspective: true, modulate: true } as const;
      triangles(bench, { polygons: [quad], texture: 'rings', ...how }, stream);
    },
  ],
  [
    '2D: fill',
    (_, stream) => {
      stream.drawTo2d(LINEAR, SIZE, SIZE);
      stream.fill(ALL, 0x123456);
    },
  ],
  [
    '2D: blit',
    (_, stream) => {
      stream.drawTo2d(LINEAR, SIZE, SIZE);
      stream.blit(OTHER, 0, 0, ALL, 'Copy');
    },
  ],
];

const best = (measure: () => number): number =>
  Math.max(...Array.from({ length: ROUNDS + 1 }, measure));

const engineRate = (fill: (bench: EngineBench, stream: Stream) => void): number => {
  const bench = new EngineBench();
  const stream = new Stream();
  fill(bench, stream);
  return best(() =>
    millionsPerSecond(PIXELS * TIMES, () => {
      for (let i = 0; i < TIMES; i++) execute(bench, stream);
    }),
  );
};

/** Of a whole frame: the CPU's stores, the GPU's work, and the CPU's loads. */
const frameRate = (seed: RenderSeed): number => {
  const board = 'pandaboard';
  const none = { memory: undefined, quirk: undefined, overlay: undefined, load: undefined };
  const machine = bootToDraw(openWithGpu(board, [], planOptions(none, [])), seed);
  return best(() =>
    millionsPerSecond(demo.width * demo.height, () => draw(machine, demo, { bug: null })),
  );
};

/** Pixels that the engines make of a second, alone and in a machine. */
export const benchPixels = (): void => {
  const rows = OPERATIONS.map(([name, fill]) => [name, engineRate(fill).toFixed(2)]);
  printTable(['engines alone', 'M pixels/s'], rows);
  printTable(
    ['scene demo, on pandaboard', 'M pixels/s'],
    [
      ['caches by chance', frameRate(1).toFixed(3)],
      ['all', frameRate('all').toFixed(3)],
    ],
  );
};
