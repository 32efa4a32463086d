import test from 'ava';
import fc from 'fast-check';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import { Raster } from '../../../../drivers/gpu/vivante/model/raster';
import type { Vertex } from '../../../../drivers/gpu/vivante/model/raster';
import { OPCODE, Opcode } from '../../../../drivers/gpu/vivante/regs/command-stream';
import {
  PE,
  PRIMITIVE_TRIANGLES,
  TEXTURE_2D,
  TextureAddressing,
  TextureFilter,
  TextureWrap,
  VERTEX_BYTES,
} from '../../../../drivers/gpu/vivante/regs/pe';
import { PixelFormat, TextureFormat } from '../../../../drivers/gpu/vivante/regs/surface';
import type { Surface } from '../../../../drivers/gpu/vivante/regs/surface';
import { RS, RS_KICK } from '../../../../drivers/gpu/vivante/regs/rs';
import { EngineBench } from './engine-bench';

const VERTICES = 0x1000;
const TEXTURE: Surface = { address: 0x1_0000, stride: 64, layout: 'tiled', channels: 'xrgb8888' };
const TARGET: Surface = { address: 0x2_0000, stride: 1024, layout: 'tiled', channels: 'xrgb8888' };
const SIZE = 256;
const TEXTURE_SIZE = 16;

const { registers } = PE;

const corner = (x: number, y: number, rest: Partial<Vertex> = {}): Vertex => ({
  x: Math.round(x * 16),
  y: Math.round(y * 16),
  u: Math.round(x * 256),
  v: Math.round(y * 256),
  q: 0x8000,
  colour: 0xff_ffff,
  ...rest,
});

const putVertices = (bench: EngineBench, vertices: readonly Vertex[]): void => {
  const view = new DataView(bench.bytes.buffer);
  vertices.forEach((vertex, i) => {
    const at = VERTICES + i * VERTEX_BYTES;
    view.setInt16(at, vertex.x, true);
    view.setInt16(at + 2, vertex.y, true);
    [vertex.u, vertex.v, vertex.q, vertex.colour].forEach((word, n) => {
      view.setInt32(at + 4 + 4 * n, word, true);
    });
  });
};

interface Settings {
  readonly control?: number;
  readonly filter?: number;
  readonly wrap?: number;
  readonly target?: Surface;
  readonly overwrite?: number;
  readonly components?: number;
}

const { TEXTURE: TEXTURED, PERSPECTIVE, MODULATE, CHROMA_KEY } = registers.XFF_CONTROL.fields;

const setUp = (bench: EngineBench, settings: Settings = {}): void => {
  const { control = 0, filter = TextureFilter.Nearest, wrap = TextureWrap.Repeat } = settings;
  const { target = TARGET, overwrite = 1, components = 15 } = settings;
  const load = (offset: number, value: number): void => {
    const loaded = bench.load('PE', offset, value);
    if (loaded !== 'loaded') throw new Error(`${offset.toString(16)}: ${loaded}`);
  };
  const { FORMAT, COMPONENTS, OVERWRITE, SUPER_TILED } = registers.PE_COLOR_FORMAT.fields;
  const isNarrow = target.channels === 'rgb565';
  load(registers.FE_VERTEX_STREAM_BASE_ADDR.at, VERTICES);
  load(registers.FE_VERTEX_STREAM_CONTROL.at, VERTEX_BYTES);
  load(
    registers.PE_COLOR_FORMAT.at,
    FORMAT.at(isNarrow ? PixelFormat.R5G6B5 : PixelFormat.X8R8G8B8) +
      COMPONENTS.at(components) +
      OVERWRITE.at(overwrite) +
      SUPER_TILED.at(target.layout === 'supertiled' ? 1 : 0),
  );
  load(registers.PE_COLOR_ADDR.at, target.address);
  load(registers.PE_COLOR_STRIDE.at, target.stride);
  load(registers.XFF_CONTROL.at, control);
  load(registers.XFF_WINDOW_TOP_LEFT.at, 0);
  load(registers.XFF_WINDOW_BOTTOM_RIGHT.at, (SIZE << 16) | SIZE);
  const { fields } = registers.TE_SAMPLER_CONFIG0;
  load(
    registers.TE_SAMPLER_CONFIG0.at,
    fields.TYPE.at(TEXTURE_2D) +
      fields.UWRAP.at(wrap) +
      fields.VWRAP.at(wrap) +
      fields.MIN.at(filter) +
      fields.MAG.at(filter) +
      fields.FORMAT.at(TextureFormat.X8R8G8B8) +
      fields.ADDRESSING_MODE.at(TextureAddressing.Tiled),
  );
  load(registers.TE_SAMPLER_SIZE.at, (TEXTURE_SIZE << 16) | TEXTURE_SIZE);
  load(registers.TE_SAMPLER_LOD_ADDR.at, TEXTURE.address);
};

const draw = (bench: EngineBench, ...vertices: Vertex[]): string => {
  putVertices(bench, vertices);
  const header = OPCODE.at(Opcode.DrawPrimitives);
  return bench.draw('PE', header, PRIMITIVE_TRIANGLES, 0, vertices.length / 3);
};

const quad = (size: number, rest: Partial<Vertex> = {}): Vertex[] => {
  const [a, b, c, d] = [
    corner(0, 0, rest),
    corner(size, 0, rest),
    corner(size, size, rest),
    corner(0, size, rest),
  ];
  return [a, b, c, a, c, d];
};

const texel = (x: number, y: number): number => 0xff00_0000 + x * 0x10_0000 + y * 0x1000 + 0x55;

const paintTexture = (bench: EngineBench): void => {
  for (let y = 0; y < TEXTURE_SIZE; y++) {
    for (let x = 0; x < TEXTURE_SIZE; x++) bench.poke(TEXTURE, x, y, texel(x, y));
  }
};

/** Sixteenths of a pixel; half pixels more often than not: then edges go through centres. */
const coordinate = fc.oneof(
  fc.integer({ min: -200, max: 700 }),
  fc.integer({ min: -25, max: 87 }).map(half => 8 * half),
  fc.integer({ min: -25, max: 87 }).map(half => 8 * half),
);
const vertices = fc.tuple(coordinate, coordinate).map(([x, y]) => ({
  ...corner(0, 0),
  x,
  y,
}));

/** How often each pixel of 44 by 44 is covered by triangles. */
const coverage = (triangles: readonly (readonly [Vertex, Vertex, Vertex])[]): Uint8Array => {
  const counts = new Uint8Array(44 * 44);
  const raster = new Raster();
  for (const [a, b, c] of triangles) {
    if (!raster.setUp(a, b, c)) continue;
    for (let y = 0; y < 44; y += 4) {
      for (let x = 0; x < 44; x += 4) {
        const covered = raster.tile(x, y);
        for (let i = 0; i < 16; i++) {
          const at = (y + (i >> 2)) * 44 + x + (i & 3);
          if (((covered >> i) & 1) === 1) counts[at] = (counts[at] ?? 0) + 1;
        }
      }
    }
  }
  return counts;
};

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(b);

const side = (a: Vertex, b: Vertex, x: number, y: number): number =>
  Math.sign((b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x));

test('triangles around a point cover each pixel once: none twice, and none within is left out', t => {
  fc.assert(
    fc.property(vertices, vertices, vertices, vertices, (a, b, c, d) => {
      const whole = coverage([[a, b, c]]);
      const turn = side(a, b, c.x, c.y);
      const isInside = [side(a, b, d.x, d.y), side(b, c, d.x, d.y), side(c, a, d.x, d.y)].every(
        s => s === turn,
      );
      fc.pre(turn !== 0 && isInside);
      const parts = coverage([
        [a, b, d],
        [d, b, c],
        [a, d, c],
      ]);
      t.true(isSame(parts, whole));
    }),
    { numRuns: 40 },
  );
});

test('a pixel is covered if its centre is inside, whichever way round the corners are', t => {
  fc.assert(
    fc.property(vertices, vertices, vertices, (a, b, c) => {
      const counts = coverage([[a, b, c]]);
      t.true(isSame(coverage([[c, b, a]]), counts));
      for (let y = 0; y < 44; y++) {
        for (let x = 0; x < 44; x++) {
          const [px, py] = [x * 16 + 8, y * 16 + 8];
          const sides = [side(a, b, px, py), side(b, c, px, py), side(c, a, px, py)];
          if (sides.includes(0)) continue;
          if (counts[y * 44 + x] !== (sides.every(s => s === sides[0]) ? 1 : 0)) return false;
        }
      }
      return true;
    }),
    { numRuns: 15 },
  );
});

test('a top or left edge through pixel centres is inside, a bottom or right one is not', t => {
  const counts = coverage([
    [corner(2.5, 2.5), corner(6.5, 2.5), corner(6.5, 6.5)],
    [corner(2.5, 2.5), corner(6.5, 6.5), corner(2.5, 6.5)],
  ]);
  for (let y = 0; y < 9; y++) {
    for (let x = 0; x < 9; x++) {
      t.is(counts[y * 44 + x], x >= 2 && x < 6 && y >= 2 && y < 6 ? 1 : 0, `${x}, ${y}`);
    }
  }
});

for (const layout of ['tiled', 'supertiled'] as const) {
  test(`a texture drawn one to one on a ${layout} surface is itself, repeated`, t => {
    const bench = new EngineBench();
    paintTexture(bench);
    const target = { ...TARGET, layout };
    setUp(bench, { control: TEXTURED.at(1), target });
    t.is(draw(bench, ...quad(40)), 'done');
    bench.flush('COLOR');
    const wrong: string[] = [];
    for (let y = 0; y < 40; y++) {
      for (let x = 0; x < 40; x++) {
        const isRight = bench.pixel(target, x, y) === texel(x % 16, y % 16);
        if (!isRight) wrong.push(`${x}, ${y}`);
      }
    }
    t.deepEqual(wrong, []);
    t.is(bench.pixel(target, 40, 0), 0xff00_0000);
  });
}

test('half a texel off, a filtered texture is the mean of four texels; clamped at its edge', t => {
  const bench = new EngineBench();
  paintTexture(bench);
  const settings = { control: TEXTURED.at(1), filter: TextureFilter.Linear };
  setUp(bench, { ...settings, wrap: TextureWrap.ClampToEdge });
  const shifted = quad(16).map(vertex => ({ ...vertex, u: vertex.u + 128, v: vertex.v + 128 }));
  t.is(draw(bench, ...shifted), 'done');
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 3, 4), 0xff00_0000 + 0x38_0000 + 0x4800 + 0x55);
  t.is(bench.pixel(TARGET, 15, 15), texel(15, 15));
});

test('perspective divides by Q, and leaves colours alone', t => {
  const bench = new EngineBench();
  paintTexture(bench);
  const far = { q: 0x2000 };
  const [a, b, c, d] = [corner(0, 0), corner(16, 0, far), corner(16, 16, far), corner(0, 16)];
  const sampledAt = (control: number): number => {
    setUp(bench, { control });
    t.is(draw(bench, a, b, c, a, c, d), 'done');
    bench.flush('COLOR');
    return (bench.pixel(TARGET, 8, 8) >>> 20) & 15;
  };
  t.is(sampledAt(TEXTURED.at(1)), 8);
  // q = (7.5 × 1 + 8.5 × 1/4) / 16, u = 16 × 8.5/4 / (7.5 + 8.5/4)
  t.is(sampledAt(TEXTURED.at(1) + PERSPECTIVE.at(1)), 3);
});

test('colours are interpolated and modulate texels; keyed texels and masked channels stay', t => {
  const bench = new EngineBench();
  paintTexture(bench);
  const corners = [
    corner(0, 0, { colour: 0 }),
    corner(256, 0, { colour: 0xff_0000 }),
    corner(0, 256, { colour: 0xff }),
  ];
  setUp(bench);
  t.is(draw(bench, ...corners), 'done');
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 100, 50), 0xff64_0032);
  setUp(bench, { control: TEXTURED.at(1) + MODULATE.at(1) + CHROMA_KEY.at(1), overwrite: 0 });
  bench.load('PE', registers.XFF_CHROMA_KEY.at, texel(3, 3) & 0xff_ffff);
  t.is(draw(bench, ...quad(16, { colour: 0x7f_ffff })), 'done');
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 8, 2), 0xff40_2055);
  t.is(bench.pixel(TARGET, 3, 3), 0xff03_0003);
  setUp(bench, { components: 0b0010 });
  t.is(draw(bench, ...quad(16, { colour: 0xab_cdef })), 'done');
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 8, 2), 0xff40_cd55);
});

test('alpha mixes what is drawn with what was there; on 565 too, two tiles a line', t => {
  const bench = new EngineBench();
  const target: Surface = { ...TARGET, stride: 512, channels: 'rgb565' };
  setUp(bench, { target });
  t.is(draw(bench, ...quad(7, { colour: 0xff_0000 })), 'done');
  bench.load('PE', registers.XFF_ALPHA.at, 31);
  t.is(draw(bench, ...quad(5, { colour: 0xff })), 'done');
  bench.flush('COLOR');
  t.is(bench.pixel(target, 6, 6), 0xffff_0000);
  t.is(bench.pixel(target, 4, 4), 0xff7b_007b);
  t.is(bench.pixel(target, 7, 7), 0xff00_0000);
});

test('what is drawn is in memory line by line as the colour cache needs room, wholly after its flush', t => {
  const bench = new EngineBench();
  setUp(bench);
  t.is(draw(bench, ...quad(64, { colour: 0x12_3456 })), 'done');
  const isDrawn = (x: number, y: number): boolean => bench.pixel(TARGET, x, y) === 0xff12_3456;
  t.true(isDrawn(0, 0));
  t.false(isDrawn(63, 63));
  bench.flush('TEXTURE');
  t.false(isDrawn(63, 63));
  bench.flush('COLOR');
  t.true(isDrawn(63, 63));
});

test('what of a tile is not drawn stays, however little is drawn', t => {
  const bench = new EngineBench();
  for (let x = 0; x < 8; x++) bench.poke(TARGET, x, 5, 0x11_0000 + x);
  setUp(bench);
  t.is(draw(bench, ...quad(6, { colour: 0x12_3456 })), 'done');
  bench.flush('COLOR');
  t.deepEqual(
    [5, 6, 7].map(x => bench.pixel(TARGET, x, 5)),
    [0xff12_3456, 0xff11_0006, 0xff11_0007],
  );
});

test('texels are kept until the texture cache is flushed', t => {
  const bench = new EngineBench();
  paintTexture(bench);
  setUp(bench, { control: TEXTURED.at(1) });
  t.is(draw(bench, ...quad(16)), 'done');
  bench.poke(TEXTURE, 5, 5, 0xabcdef);
  t.is(draw(bench, ...quad(16)), 'done');
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 5, 5), texel(5, 5));
  bench.flush('TEXTURE');
  t.is(draw(bench, ...quad(16)), 'done');
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 5, 5), 0xffab_cdef);
});

test('a draw of which accesses wait, at any place, draws the same; one that faults ends', t => {
  const picture = (hindrance: (n: number) => boolean, isChecked = false): Uint8Array => {
    const bench = new EngineBench(isChecked);
    paintTexture(bench);
    setUp(bench, { control: TEXTURED.at(1), filter: TextureFilter.Linear, overwrite: 0 });
    let n = 0;
    bench.hindrance = () => (hindrance(n++) ? 'wait' : 'ok');
    t.is(draw(bench, corner(3, 1), corner(70, 20), corner(10, 60)), 'done');
    bench.flush('COLOR');
    return bench.bytes.slice(TARGET.address);
  };
  const right = picture(() => false);
  t.true(right.some(byte => byte !== 0));
  t.true(
    isSame(
      picture(n => n % 3 !== 0, true),
      right,
    ),
  );
  for (const every of [2, 7])
    t.true(
      isSame(
        picture(n => n % every !== 0),
        right,
      ),
    );
  const bench = new EngineBench();
  setUp(bench);
  bench.hindrance = address => (address >= TARGET.address ? 'fault' : 'ok');
  t.is(draw(bench, ...quad(64)), 'fault');
});

/** States of a resolve of 16 by 4 pixels from the target on. */
const resolveTarget = (bench: EngineBench): string => {
  const { registers: rs } = RS;
  const format = rs.CONFIG.fields.DEST_FORMAT.at(PixelFormat.X8R8G8B8);
  const source = rs.CONFIG.fields.SOURCE_FORMAT.at(PixelFormat.X8R8G8B8);
  bench.load('RS', rs.CONFIG.at, format + source + rs.CONFIG.fields.SOURCE_TILED.at(1));
  bench.load('RS', rs.SOURCE_ADDR.at, TARGET.address);
  bench.load('RS', rs.SOURCE_STRIDE.at, 4 * TARGET.stride);
  bench.load('RS', rs.DEST_ADDR.at, 0x8_0000);
  bench.load('RS', rs.DEST_STRIDE.at, 1024);
  bench.load('RS', rs.WINDOW_SIZE.at, (4 << 16) | 16);
  return bench.load('RS', rs.KICKER.at, RS_KICK);
};

test('checked, each work sees the latest, and what it might have seen instead is told', t => {
  const bench = new EngineBench(true);
  paintTexture(bench);
  setUp(bench, { control: TEXTURED.at(1) });
  t.is(draw(bench, ...quad(16)), 'done');
  t.is(draw(bench, ...quad(16)), 'done');
  t.deepEqual(bench.mismatches, []);
  bench.poke(TEXTURE, 5, 5, 0xabcdef);
  t.is(draw(bench, ...quad(16)), 'done');
  t.is(bench.pixel(TARGET, 5, 5), 0xffab_cdef);
  const texture = { cache: 'texture', what: 'stale', reader: 'PE' } as const;
  t.deepEqual(bench.mismatches, [{ ...texture, address: TEXTURE.address + 0x140, length: 64 }]);
  bench.mismatches.length = 0;
  t.is(resolveTarget(bench), 'done');
  const colour = { cache: 'colour', what: 'unflushed', reader: 'RS', length: 64 } as const;
  t.deepEqual(
    bench.mismatches,
    [0, 64, 128, 192].map(at => ({ ...colour, address: TARGET.address + at })),
  );
  bench.mismatches.length = 0;
  bench.flush('TEXTURE');
  bench.flush('COLOR');
  t.is(draw(bench, ...quad(16)), 'done');
  bench.flush('COLOR');
  t.is(resolveTarget(bench), 'done');
  t.deepEqual(bench.mismatches, []);
});

test('checked, what was drawn goes to memory at once and again at the flush', t => {
  const bench = new EngineBench(true);
  setUp(bench);
  t.is(draw(bench, ...quad(4, { colour: 0x12_3456 })), 'done');
  t.is(bench.pixel(TARGET, 1, 1), 0xff12_3456);
  bench.poke(TARGET, 1, 1, 0);
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 1, 1), 0xff12_3456);
  bench.poke(TARGET, 1, 1, 0);
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 1, 1), 0xff00_0000);
  t.throws(() => bench.saveState(), { instanceOf: UnmodelledError });
});

test('states and caches are saved and restored, and empty after a reset', t => {
  const bench = new EngineBench();
  setUp(bench);
  t.is(draw(bench, ...quad(8, { colour: 0x12_3456 })), 'done');
  const saved = bench.saveState();
  for (const unit of bench.units) unit.reset();
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 1, 1), 0xff00_0000);
  t.is(draw(bench, ...quad(8)), 'illegal');
  bench.units.forEach((unit, i) => {
    unit.restoreState(saved[i] ?? null);
  });
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 1, 1), 0xff12_3456);
  t.is(draw(bench, ...quad(8)), 'done');
});

test('a masked field of the colour format stays as it is', t => {
  const bench = new EngineBench();
  setUp(bench, { components: 0b0010 });
  const { FORMAT, FORMAT_MASK, COMPONENTS_MASK } = registers.PE_COLOR_FORMAT.fields;
  const masked = FORMAT.at(PixelFormat.X8R8G8B8) + COMPONENTS_MASK.at(1);
  bench.load('PE', registers.PE_COLOR_FORMAT.at, masked);
  t.is(draw(bench, ...quad(4, { colour: 0xab_cdef })), 'done');
  bench.load('PE', registers.PE_COLOR_FORMAT.at, FORMAT_MASK.at(1) + 0xf00);
  bench.flush('COLOR');
  t.is(bench.pixel(TARGET, 1, 1), 0xff00_cd00);
  t.is(draw(bench, ...quad(4, { colour: 0xab_cdef })), 'done');
});

test('the pixel engine refuses what its data sheet does not permit, and names what is not modelled', t => {
  const bench = new EngineBench();
  setUp(bench);
  t.is(bench.draw('PE', OPCODE.at(Opcode.DrawPrimitives), 4, 0), 'illegal');
  t.is(bench.draw('PE', OPCODE.at(Opcode.DrawPrimitives), 4, 0, 0x10_0000), 'illegal');
  t.is(draw(bench, ...quad(4, { q: 0 })), 'fault');
  t.is(bench.load('PE', registers.XFF_CONTROL.at, 0x100), 'illegal');
  bench.load('PE', registers.PE_COLOR_STRIDE.at, 24);
  t.is(draw(bench, ...quad(4)), 'illegal');
  t.is(bench.guestErrors.length, 5);
  t.throws(() => bench.draw('PE', OPCODE.at(Opcode.DrawPrimitives), 5, 0, 1), {
    instanceOf: UnmodelledError,
  });
  t.throws(() => bench.load('PE', registers.PE_ALPHA_CONFIG.at, 1), {
    instanceOf: UnmodelledError,
  });
});
