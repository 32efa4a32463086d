import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import test from 'ava';
import type { RuleId } from '../../../drivers/base/types/rules';
import { BOARD_FILES } from '../../../tools/board/board-files';
import { planOptions } from '../../../tools/options';
import { bootToDraw, draw, openWithGpu } from '../../../tools/render/boot';
import type { DrawnFrame, RenderMachine, RenderSeed } from '../../../tools/render/boot';
import { RENDER_BUGS } from '../../../tools/render/bugs';
import type { BugName } from '../../../tools/render/bugs';
import { CHARACTERS } from '../../../tools/render/font';
import { encodePng } from '../../../tools/render/png';
import { hashOf } from '../../../tools/render/render';
import { SCENES } from '../../../tools/render/scenes';
import type { Scene } from '../../../tools/render/scene';

/** sha256 of the pixels, from the same integers on every host. */
const GOLDEN: Readonly<Record<string, string>> = {
  demo: '448a36a7656264a956e5414d824b47955f83254cc043fc6f1a1b8c237bd7ee00',
  gradient: '0b535e8f8500a8ffdc0474e2578d691f2a23babb1cf91f86d805c0a84e10cca6',
  text: '0a7e9a0c07db1d628f62ee4a57e6ff6e2319811a29aac2fbd2c9606b76e68d90',
  texture: '8b8b57219b66c49f411222d3acce0f6b38dd7bb7fdcefef074bfc7e34852774e',
  triangles: '582d946f9a2c3b076441ec68b6320cbb3eb581a5a29e7f077cf12fd2bb21d72f',
};

/** Few pixels, and yet several pages and jobs. */
const SMALL: Scene = {
  name: 'small',
  summary: 'a texture and a triangle over it, on two supertiles',
  width: 64,
  height: 128,
  background: 0x102030,
  textures: {
    checker: {
      ...{ pattern: 'checker', size: 32, cell: 4, colours: [0xf0f0f0, 0x303080] },
      ...{ format: 'xrgb8888', layout: 'tiled' },
    },
  },
  batches: [
    {
      texture: 'checker',
      polygons: [
        [
          { at: [0, 0], uv: [0, 0] },
          { at: [64, 0], uv: [32, 0] },
          { at: [64, 128], uv: [32, 64] },
          { at: [0, 128], uv: [0, 64] },
        ],
      ],
    },
    {
      alpha: 40,
      polygons: [
        [
          { at: [4, 100], colour: 0xff0000 },
          { at: [32, 40], colour: 0x00ff00 },
          { at: [60, 126], colour: 0xffff00 },
        ],
      ],
    },
  ],
  fills: [],
  texts: [],
};

/** The rows of a PNG of ours, each behind the number of its filter. */
const rowsOf = (file: Buffer): Buffer => {
  const at = file.indexOf('IDAT');
  return inflateSync(file.subarray(at + 4, at + 4 + file.readUInt32BE(at - 4)));
};

const machineOf = (board: string, seed: RenderSeed): RenderMachine => {
  const options = {
    board,
    memory: undefined,
    quirk: undefined,
    overlay: undefined,
    load: undefined,
  };
  return bootToDraw(openWithGpu(board, [], planOptions(options, [])), seed);
};

test('the pictures are what they were, to the bit, by whatever caches do by chance', t => {
  const machine = machineOf('versatile-pb', 1);
  for (const scene of SCENES) {
    const { picture, notes } = draw(machine, scene, { bug: null });
    t.deepEqual(notes, []);
    t.is(hashOf(picture), GOLDEN[scene.name] ?? '', scene.name);
  }
});

test("the README's picture is that of the demo", t => {
  const file = readFileSync(join(__dirname, '../../../tools/render/pictures/demo.png'));
  const width = file.readUInt32BE(16);
  const rows = rowsOf(file);
  const pixels = new Uint32Array(width * file.readUInt32BE(20));
  const stride = 1 + 3 * width;
  pixels.forEach((_, i) => {
    const at = Math.floor(i / width) * stride + 1 + 3 * (i % width);
    pixels[i] = rows.readUIntBE(at, 3);
  });
  t.is(hashOf({ width, height: pixels.length / width, pixels }), GOLDEN['demo'] ?? '');
});

/** Whether stores are late is chance, and is seen only where other words were before: on a new machine. */
const drained = (seed: number): { readonly chance: RenderMachine; readonly frame: DrawnFrame } => {
  const chance = machineOf('pandaboard', seed);
  const frame = draw(chance, SMALL, { bug: 'missing-wc-drain' });
  return frame.notes.length > 0 || seed > 12 ? { chance, frame } : drained(seed + 1);
};

const { chance, frame: undrained } = drained(2);
const right = draw(chance, SMALL, { bug: null });

/** Indices of pixels that are other than they should be. */
const wrongPixels = ({ picture }: DrawnFrame): number[] =>
  [...picture.pixels.keys()].filter(i => picture.pixels[i] !== right.picture.pixels[i]);

test('one job or several, with pages that move between them: the picture is the same', t => {
  const split = draw(chance, SMALL, { bug: null, isSplit: true });
  t.deepEqual(wrongPixels(split), []);
  t.deepEqual([...right.notes, ...split.notes], []);
});

const width = SMALL.width;
/** Whether wrong pixels come in blocks of this size, whole or not at all. */
const isInBlocks = (wrong: readonly number[], columns: number, rows: number): boolean => {
  const blocks = new Map<number, number>();
  for (const i of wrong) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const block = Math.floor(y / rows) * width + Math.floor(x / columns);
    blocks.set(block, (blocks.get(block) ?? 0) + 1);
  }
  return [...blocks.values()].every(count => count === columns * rows);
};

const PREVIOUS = 0x8a2a7a;
const POISON = 0xaaaaaa;

/** Whether a frame has the shape of its mistake. */
const SHAPES: Readonly<Record<BugName, (frame: DrawnFrame, wrong: readonly number[]) => boolean>> =
  {
    'missing-colour-flush': (_, wrong) => wrong.length > 0 && Math.min(...wrong) > 4 * width,
    'missing-stall': (_, wrong) => wrong.length > 1000,
    'missing-texture-clean': (_, wrong) => wrong.length > 100,
    'wrong-direction': (_, wrong) => wrong.length > 100,
    'cacheable-alias': ({ picture }, wrong) =>
      wrong.some(i => picture.pixels[i] === POISON) && isInBlocks(wrong, 2, 1),
    'stale-translation': ({ picture }, wrong) =>
      wrong.length > 0 &&
      isInBlocks(wrong, 64, 16) &&
      wrong.every(i => picture.pixels[i] === POISON),
    'missing-wc-drain': ({ notes }) => notes.length > 0,
    'missing-fence-wait': ({ picture }, wrong) =>
      wrong.length > 0 && wrong.every(i => picture.pixels[i] === PREVIOUS),
    'missing-invalidate': ({ picture }, wrong) =>
      wrong.length > 100 && wrong.every(i => picture.pixels[i] === PREVIOUS),
  };

test('each mistake shows its shape', t => {
  for (const { name } of RENDER_BUGS) {
    const isDrained = name !== 'missing-wc-drain';
    const frame = isDrained ? draw(chance, SMALL, { bug: name }) : undrained;
    const shows = SHAPES[name](frame, wrongPixels(frame));
    t.true(shows, name);
  }
});

/** What the checker calls them: a cache of the GPU, one of the CPU, the GPU's TLB. */
const RULES: readonly (readonly [bug: BugName, rule: RuleId])[] = [
  ['missing-colour-flush', 'stale-device-cache'],
  ['missing-texture-clean', 'stale-device-read'],
  ['stale-translation', 'stale-translation'],
];

test('the checker finds nothing in the right frame, and names mistakes', t => {
  const all = machineOf('pandaboard', 'all');
  const checked = draw(all, SMALL, { bug: null });
  t.deepEqual(checked.findings, []);
  t.deepEqual(wrongPixels(checked), []);
  for (const [bug, rule] of RULES) {
    const { findings } = draw(all, SMALL, { bug });
    t.true(
      findings.some(finding => finding.rule === rule),
      bug,
    );
  }
});

test('a picture survives its file', t => {
  const pixels = Uint32Array.of(0xff0000, 0x00ff00, 0x0000ff, 0x123456, 0, 0xffffff);
  const file = encodePng({ width: 3, height: 2, pixels });
  t.is(file.subarray(12, 16).toString('latin1'), 'IHDR');
  t.deepEqual([file.readUInt32BE(16), file.readUInt32BE(20)], [3, 2]);
  const data = rowsOf(file);
  t.deepEqual([...data.subarray(0, 10)], [0, 255, 0, 0, 0, 255, 0, 0, 0, 255]);
  t.deepEqual([...data.subarray(10)], [0, 0x12, 0x34, 0x56, 0, 0, 0, 255, 255, 255]);
});

test('scenes have names of their own, sizes that the engines take, and letters that there are', t => {
  t.is(new Set(SCENES.map(({ name }) => name)).size, SCENES.length);
  for (const { width: columns, height, texts } of SCENES) {
    t.deepEqual([columns % 64, height % 4], [0, 0]);
    for (const { text } of texts) {
      for (const character of text) t.true(character === ' ' || CHARACTERS.includes(character));
    }
  }
  t.true(BOARD_FILES.list().includes('pandaboard.dts'));
});
