import test from 'ava';
import fc from 'fast-check';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import { DRAW_2D, OPCODE, Opcode } from '../../../../drivers/gpu/vivante/regs/command-stream';
import { DE, DeCommand, Rop, RopType } from '../../../../drivers/gpu/vivante/regs/de';
import { RS, RS_KICK } from '../../../../drivers/gpu/vivante/regs/rs';
import {
  PixelFormat,
  alignmentOf,
  bytesPerPixel,
  offsetOf,
  packPixel,
  unpackPixel,
} from '../../../../drivers/gpu/vivante/regs/surface';
import type {
  Channels,
  Surface,
  SurfaceLayout,
} from '../../../../drivers/gpu/vivante/regs/surface';
import { EngineBench } from './engine-bench';

const FORMATS: Readonly<Record<Channels, number>> = {
  rgb565: PixelFormat.R5G6B5,
  xrgb8888: PixelFormat.X8R8G8B8,
  argb8888: PixelFormat.A8R8G8B8,
};

const WIDTH = 64;
const HEIGHT = 64;

const surfaceAt = (address: number, layout: SurfaceLayout, channels: Channels): Surface => ({
  address,
  stride: WIDTH * bytesPerPixel(channels),
  layout,
  channels,
});

/** A picture in which no two neighbours are alike, and all channels of 565 are exact. */
const hue = (x: number, y: number): number =>
  unpackPixel('rgb565', (x * 1031 + y * 7919) % 65536) >>> 0;

const paint = (bench: EngineBench, surface: Surface): void => {
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) bench.poke(surface, x, y, hue(x, y));
  }
};

const isPainted = (bench: EngineBench, surface: Surface): boolean => {
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      if (bench.pixel(surface, x, y) !== hue(x, y)) return false;
    }
  }
  return true;
};

const { registers: rs } = RS;

/** Stride and tiling of a surface, as the resolve engine's states have it. */
const rsStride = ({ layout, stride }: Surface): number =>
  layout === 'linear'
    ? stride
    : rs.DEST_STRIDE.fields.STRIDE.at(stride * 4) +
      rs.DEST_STRIDE.fields.TILING.at(layout === 'supertiled' ? 1 : 0);

const resolve = (bench: EngineBench, from: Surface, to: Surface): string => {
  const { fields } = rs.CONFIG;
  bench.load(
    'RS',
    rs.CONFIG.at,
    fields.SOURCE_FORMAT.at(FORMATS[from.channels]) +
      fields.SOURCE_TILED.at(from.layout === 'linear' ? 0 : 1) +
      fields.DEST_FORMAT.at(FORMATS[to.channels]) +
      fields.DEST_TILED.at(to.layout === 'linear' ? 0 : 1),
  );
  bench.load('RS', rs.SOURCE_ADDR.at, from.address);
  bench.load('RS', rs.SOURCE_STRIDE.at, rsStride(from));
  bench.load('RS', rs.DEST_ADDR.at, to.address);
  bench.load('RS', rs.DEST_STRIDE.at, rsStride(to));
  bench.load('RS', rs.WINDOW_SIZE.at, (HEIGHT << 16) | WIDTH);
  bench.load('RS', rs.CLEAR_CONTROL.at, 0);
  return bench.load('RS', rs.KICKER.at, RS_KICK);
};

const FROM = 0x1_0000;
const TO = 0x2_0000;

test('tiles of a supertile lie two wide, four high, then to the right, then down: 64 by 16 pixels a page', t => {
  const surface = surfaceAt(0, 'supertiled', 'xrgb8888');
  const tileOf = (column: number, row: number): number =>
    offsetOf(surface, column * 4, row * 4) / 64;
  const row = (y: number): number[] => Array.from({ length: 16 }, (_, x) => tileOf(x, y));
  t.deepEqual(row(0), [0, 1, 8, 9, 16, 17, 24, 25, 32, 33, 40, 41, 48, 49, 56, 57]);
  t.deepEqual(row(3), [6, 7, 14, 15, 22, 23, 30, 31, 38, 39, 46, 47, 54, 55, 62, 63]);
  t.deepEqual(row(13).slice(0, 3), [194, 195, 202]);
  t.is(offsetOf(surface, 63, 15), 4092);
  t.is(offsetOf({ ...surface, stride: 512 }, 64, 0), 0x4000);
  t.is(offsetOf({ ...surface, stride: 512 }, 0, 64), 0x8000);
  t.is(offsetOf(surfaceAt(0, 'tiled', 'xrgb8888'), 5, 6), 16 * 64 + 64 + (2 * 4 + 1) * 4);
  t.is(alignmentOf('supertiled'), 64);
});

test('what is packed into 565 and unpacked again is the same 565', t => {
  for (let stored = 0; stored < 65536; stored += 7) {
    t.is(packPixel('rgb565', unpackPixel('rgb565', stored)), stored);
  }
  t.is(unpackPixel('rgb565', 0xffff) >>> 0, 0xffff_ffff);
  t.is(unpackPixel('xrgb8888', 0x12_3456) >>> 0, 0xff12_3456);
});

const layouts = fc.constantFrom<SurfaceLayout>('linear', 'tiled', 'supertiled');
const channels = fc.constantFrom<Channels>('rgb565', 'xrgb8888', 'argb8888');

test('a resolve copies a picture between any two layouts and formats', t => {
  fc.assert(
    fc.property(layouts, channels, layouts, channels, (from, fromChannels, to, toChannels) => {
      const bench = new EngineBench();
      const source = surfaceAt(FROM, from, fromChannels);
      const target = surfaceAt(TO, to, toChannels);
      paint(bench, source);
      t.is(resolve(bench, source, target), 'done');
      return isPainted(bench, target);
    }),
    { numRuns: 12 },
  );
});

const fill = (bench: EngineBench, to: Surface, control: number): string => {
  const { fields } = rs.CONFIG;
  const config = fields.DEST_FORMAT.at(FORMATS[to.channels]) + fields.DEST_TILED.at(1);
  bench.load('RS', rs.CONFIG.at, config);
  bench.load('RS', rs.DEST_ADDR.at, to.address);
  bench.load('RS', rs.DEST_STRIDE.at, rsStride(to));
  bench.load('RS', rs.WINDOW_SIZE.at, (16 << 16) | 32);
  [0x11, 0x2222, 0x33_0000, 0x4400_0000].forEach((value, i) => {
    bench.load('RS', rs.FILL_VALUE.at + 4 * i, value);
  });
  bench.load('RS', rs.CLEAR_CONTROL.at, control);
  return bench.load('RS', rs.KICKER.at, RS_KICK);
};

test('a fill writes its window and the bytes that it names, with one value or four in turns', t => {
  const bench = new EngineBench();
  const target = surfaceAt(TO, 'tiled', 'argb8888');
  paint(bench, target);
  const { BITS, MODE } = rs.CLEAR_CONTROL.fields;
  t.is(fill(bench, target, MODE.at(1) + BITS.at(0b0101)), 'done');
  t.is(bench.pixel(target, 31, 15), ((hue(31, 15) & 0xff00_ff00) | 0x11) >>> 0);
  t.is(bench.pixel(target, 32, 15), hue(32, 15));
  t.is(bench.pixel(target, 31, 16), hue(31, 16));
  t.is(fill(bench, target, MODE.at(2) + BITS.at(0xffff)), 'done');
  t.deepEqual(
    [0, 3, 4, 8, 15, 16].map(x => bench.pixel(target, x, 0)),
    [0x11, 0x11, 0x2222, 0x33_0000, 0x4400_0000, 0x11],
  );
});

test('the resolve engine refuses what its data sheet does not permit, and names what is not modelled', t => {
  const bench = new EngineBench();
  const target = surfaceAt(TO, 'tiled', 'argb8888');
  t.is(bench.load('RS', rs.KICKER.at, 0), 'loaded');
  t.is(bench.load('RS', rs.KICKER.at, RS_KICK), 'illegal');
  t.is(fill(bench, { ...target, address: TO + 4 }, 0x1_ffff), 'illegal');
  t.is(bench.load('RS', rs.CONFIG.at, 1 << 28), 'illegal');
  t.is(bench.load('RS', 0x1618, 0), 'illegal');
  t.is(bench.guestErrors.length, 4);
  t.throws(() => bench.load('RS', rs.CONFIG.at, rs.CONFIG.fields.FLIP.at(1)), {
    instanceOf: UnmodelledError,
    message: /FLIP/,
  });
});

const { registers: de } = DE;
const point = (x: number, y: number): number => ((y << 16) | x) >>> 0;

const setTarget = (bench: EngineBench, surface: Surface, command: number): void => {
  const { fields } = de.DEST_CONFIG;
  const format = FORMATS[surface.channels];
  bench.load('DE', de.DEST_CONFIG.at, fields.FORMAT.at(format) + fields.COMMAND.at(command));
  bench.load('DE', de.DEST_ADDRESS.at, surface.address);
  bench.load('DE', de.DEST_STRIDE.at, surface.stride);
  bench.load('DE', de.CLIP_TOP_LEFT.at, point(0, 0));
  bench.load('DE', de.CLIP_BOTTOM_RIGHT.at, point(WIDTH, HEIGHT));
};

const setSource = (bench: EngineBench, surface: Surface, rop: number, relative = 0): void => {
  const { fields } = de.SRC_CONFIG;
  bench.load(
    'DE',
    de.SRC_CONFIG.at,
    fields.SOURCE_FORMAT.at(FORMATS[surface.channels]) +
      fields.TILED.at(surface.layout === 'tiled' ? 1 : 0) +
      fields.SRC_RELATIVE.at(relative),
  );
  bench.load('DE', de.SRC_ADDRESS.at, surface.address);
  bench.load('DE', de.SRC_STRIDE.at, surface.stride);
  bench.load('DE', de.ROP.at, de.ROP.fields.ROP_FG.at(rop) + de.ROP.fields.TYPE.at(RopType.Rop3));
};

const draw2d = (bench: EngineBench, ...points: number[]): string => {
  const header = OPCODE.at(Opcode.Draw2d) + DRAW_2D.COUNT.at(points.length / 2);
  return bench.draw('DE', header, 0, ...points);
};

test('a clear fills rectangles within the clipping rectangle, in memory once the 2D cache is flushed', t => {
  const bench = new EngineBench();
  const target = surfaceAt(TO, 'linear', 'rgb565');
  paint(bench, target);
  setTarget(bench, target, DeCommand.Clear);
  bench.load('DE', de.CLIP_BOTTOM_RIGHT.at, point(WIDTH, 9));
  bench.load('DE', de.CLEAR_PIXEL_VALUE32.at, 0xffff_8000);
  t.is(draw2d(bench, point(1, 2), point(3, 12), point(60, 0), point(64, 1)), 'done');
  t.is(bench.pixel(target, 1, 2), hue(1, 2));
  bench.flush('PE2D');
  const isFilled = (x: number, y: number): boolean =>
    (x >= 1 && x < 3 && y >= 2 && y < 9) || (x >= 60 && y === 0);
  const wrong: string[] = [];
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const expected = isFilled(x, y) ? 0xffff_8200 : hue(x, y);
      if (bench.pixel(target, x, y) !== expected) wrong.push(`${x}, ${y}`);
    }
  }
  t.deepEqual(wrong, []);
});

test('each code of ROP3 without a pattern is its truth table', t => {
  for (const rop of Object.values(Rop)) {
    const bench = new EngineBench();
    const source = surfaceAt(FROM, 'tiled', 'argb8888');
    const target = surfaceAt(TO, 'linear', 'argb8888');
    bench.poke(source, 5, 6, 0x0f0f_ff00);
    bench.poke(target, 7, 7, 0x3333_f0f0);
    setTarget(bench, target, DeCommand.BitBlt);
    setSource(bench, source, rop);
    bench.load('DE', de.SRC_ORIGIN.at, point(5, 6));
    t.is(draw2d(bench, point(7, 7), point(8, 8)), 'done');
    bench.flush('PE2D');
    let expected = 0;
    for (let bit = 0; bit < 32; bit++) {
      const index = ((0x3333_f0f0 >>> bit) & 1) + 2 * ((0x0f0f_ff00 >>> bit) & 1);
      expected |= ((rop >>> index) & 1) << bit;
    }
    t.is(bench.pixel(target, 7, 7), expected >>> 0);
  }
});

test('a relative blit moves each rectangle by the same, and converts formats', t => {
  const bench = new EngineBench();
  const source = surfaceAt(FROM, 'linear', 'xrgb8888');
  const target = surfaceAt(TO, 'linear', 'rgb565');
  paint(bench, source);
  setTarget(bench, target, DeCommand.BitBlt);
  setSource(bench, source, Rop.Copy, 1);
  bench.load('DE', de.SRC_ORIGIN.at, point(0xfffe, 3));
  t.is(draw2d(bench, point(10, 20), point(12, 21), point(30, 40), point(31, 41)), 'done');
  bench.flush('PE2D');
  t.is(bench.pixel(target, 10, 20), hue(8, 23));
  t.is(bench.pixel(target, 11, 20), hue(9, 23));
  t.is(bench.pixel(target, 30, 40), hue(28, 43));
});

test('the drawing engine refuses draws whose words do not fit, and names what is not modelled', t => {
  const bench = new EngineBench();
  setTarget(bench, surfaceAt(TO, 'linear', 'argb8888'), DeCommand.Clear);
  t.is(bench.draw('DE', OPCODE.at(Opcode.Draw2d) + DRAW_2D.COUNT.at(3), 0, 1, 2), 'illegal');
  t.is(bench.load('DE', 0x1300, 1), 'illegal');
  t.throws(
    () => {
      setTarget(bench, surfaceAt(TO, 'linear', 'argb8888'), 4);
      draw2d(bench, 0, 1);
    },
    { instanceOf: UnmodelledError, message: /command 4/ },
  );
  t.throws(
    () => {
      setTarget(bench, surfaceAt(TO, 'linear', 'argb8888'), DeCommand.BitBlt);
      setSource(bench, surfaceAt(FROM, 'linear', 'argb8888'), 0xf0);
      draw2d(bench, 0, 1);
    },
    { instanceOf: UnmodelledError, message: /de\.ROP/ },
  );
});
