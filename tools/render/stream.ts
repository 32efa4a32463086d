import {
  DRAW_2D,
  OPCODE,
  Opcode,
  Recipient,
  TOKEN,
  loadState,
} from '../../drivers/gpu/vivante/regs/command-stream';
import { DE, DeCommand, Rop, RopType } from '../../drivers/gpu/vivante/regs/de';
import {
  OPAQUE,
  PE,
  PRIMITIVE_TRIANGLES,
  TEXTURE_2D,
  TextureAddressing,
  TextureFilter,
  TextureWrap,
  VERTEX_BYTES,
} from '../../drivers/gpu/vivante/regs/pe';
import { RS, RS_KICK } from '../../drivers/gpu/vivante/regs/rs';
import { GC_STATES } from '../../drivers/gpu/vivante/regs/states';
import { PixelFormat, TILE, TextureFormat } from '../../drivers/gpu/vivante/regs/surface';
import type { Surface } from '../../drivers/gpu/vivante/regs/surface';
import type { Batch, TextureSpec } from './scene';

const { registers: pe } = PE;
const { registers: rs } = RS;
const { registers: de } = DE;
const { registers: gc } = GC_STATES;

/** A point of the 2D engine, and any pair of 16 bits. */
const point = (x: number, y: number): number => y * 0x1_0000 + x;

const ALL_CHANNELS = 15;

/** A texture where the GPU has it. */
export interface PlacedTexture {
  readonly spec: TextureSpec;
  readonly surface: Surface;
}

/** A rectangle on a surface, by its upper left corner and its size. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A client's command stream, as it comes to be. */
export class Stream {
  readonly words: number[] = [];

  state(offset: number, value: number): void {
    this.words.push(loadState(offset, 1), value);
  }

  pipe(which: '3d' | '2d'): void {
    this.state(gc.PIPE_SELECT.at, which === '3d' ? 0 : 1);
  }

  flush(cache: 'COLOR' | 'TEXTURE' | 'PE2D'): void {
    this.state(gc.FLUSH_CACHE.at, gc.FLUSH_CACHE.fields[cache].at(1));
  }

  /** The front end goes on when an engine has done what it was told so far. */
  stall(engine: 'PE' | 'DE'): void {
    const token = TOKEN.FROM.at(Recipient.FE) + TOKEN.TO.at(Recipient[engine]);
    this.state(gc.SEMAPHORE_TOKEN.at, token);
    this.words.push(OPCODE.at(Opcode.Stall), token);
  }

  /** The resolve engine fills a supertiled surface with a colour. */
  clear(target: Surface, width: number, height: number, colour: number): void {
    const { fields } = rs.CONFIG;
    this.state(rs.CONFIG.at, fields.DEST_FORMAT.at(PixelFormat.X8R8G8B8) + fields.DEST_TILED.at(1));
    this.#target(target, width, height);
    this.state(rs.FILL_VALUE.at, colour);
    const { MODE, BITS } = rs.CLEAR_CONTROL.fields;
    this.state(rs.CLEAR_CONTROL.at, MODE.at(1) + BITS.at(0xffff));
    this.state(rs.KICKER.at, RS_KICK);
  }

  /** The resolve engine copies a supertiled surface to a linear one. */
  resolve(source: Surface, target: Surface, width: number, height: number): void {
    const { fields } = rs.CONFIG;
    this.state(
      rs.CONFIG.at,
      fields.SOURCE_FORMAT.at(PixelFormat.X8R8G8B8) +
        fields.SOURCE_TILED.at(1) +
        fields.DEST_FORMAT.at(PixelFormat.X8R8G8B8),
    );
    this.state(rs.SOURCE_ADDR.at, source.address);
    this.state(rs.SOURCE_STRIDE.at, rsStride(source));
    this.#target(target, width, height);
    this.state(rs.CLEAR_CONTROL.at, 0);
    this.state(rs.KICKER.at, RS_KICK);
  }

  #target(target: Surface, width: number, height: number): void {
    this.state(rs.DEST_ADDR.at, target.address);
    this.state(rs.DEST_STRIDE.at, rsStride(target));
    this.state(rs.WINDOW_SIZE.at, point(width, height));
  }

  /** Where the pixel engine draws, and where its vertices are. */
  drawTo(target: Surface, width: number, height: number, vertices: number): void {
    const { FORMAT, COMPONENTS, OVERWRITE, SUPER_TILED } = pe.PE_COLOR_FORMAT.fields;
    this.state(
      pe.PE_COLOR_FORMAT.at,
      FORMAT.at(PixelFormat.X8R8G8B8) +
        COMPONENTS.at(ALL_CHANNELS) +
        OVERWRITE.at(1) +
        SUPER_TILED.at(1),
    );
    this.state(pe.PE_COLOR_ADDR.at, target.address);
    this.state(pe.PE_COLOR_STRIDE.at, target.stride);
    this.state(pe.XFF_WINDOW_TOP_LEFT.at, 0);
    this.state(pe.XFF_WINDOW_BOTTOM_RIGHT.at, point(width, height));
    this.state(pe.FE_VERTEX_STREAM_BASE_ADDR.at, vertices);
    this.state(pe.FE_VERTEX_STREAM_CONTROL.at, VERTEX_BYTES);
  }

  /** `count` triangles from vertex `start` on, as the batch says. */
  draw(batch: Batch, texture: PlacedTexture | null, start: number, count: number): void {
    const { TEXTURE, PERSPECTIVE, MODULATE, CHROMA_KEY } = pe.XFF_CONTROL.fields;
    const flag = (isSet: boolean | undefined): number => (isSet === true ? 1 : 0);
    this.state(
      pe.XFF_CONTROL.at,
      TEXTURE.at(flag(texture !== null)) +
        PERSPECTIVE.at(flag(batch.perspective)) +
        MODULATE.at(flag(batch.modulate)) +
        CHROMA_KEY.at(flag(batch.key !== undefined)),
    );
    this.state(pe.XFF_CHROMA_KEY.at, batch.key ?? 0);
    this.state(pe.XFF_ALPHA.at, batch.alpha ?? OPAQUE);
    if (texture !== null) this.#sampler(batch, texture);
    this.words.push(OPCODE.at(Opcode.DrawPrimitives), PRIMITIVE_TRIANGLES, start, count);
  }

  #sampler({ filter, wrap }: Batch, { spec, surface }: PlacedTexture): void {
    const { fields } = pe.TE_SAMPLER_CONFIG0;
    const filters = filter === 'linear' ? TextureFilter.Linear : TextureFilter.Nearest;
    const mode = wrap === 'clamp' ? TextureWrap.ClampToEdge : TextureWrap.Repeat;
    const isTiled = spec.layout === 'tiled';
    const format = spec.format === 'rgb565' ? TextureFormat.R5G6B5 : TextureFormat.X8R8G8B8;
    this.state(
      pe.TE_SAMPLER_CONFIG0.at,
      fields.TYPE.at(TEXTURE_2D) +
        fields.UWRAP.at(mode) +
        fields.VWRAP.at(mode) +
        fields.MIN.at(filters) +
        fields.MAG.at(filters) +
        fields.FORMAT.at(format) +
        fields.ADDRESSING_MODE.at(isTiled ? TextureAddressing.Tiled : TextureAddressing.Linear),
    );
    this.state(pe.TE_SAMPLER_SIZE.at, point(spec.size, spec.size));
    this.state(pe.TE_SAMPLER_LOD_ADDR.at, surface.address);
    if (!isTiled) this.state(pe.TE_SAMPLER_LINEAR_STRIDE.at, surface.stride);
  }

  /** Where the 2D engine draws from now on, and all of it. */
  drawTo2d(target: Surface, width: number, height: number): void {
    this.state(de.DEST_ADDRESS.at, target.address);
    this.state(de.DEST_STRIDE.at, target.stride);
    this.state(de.CLIP_TOP_LEFT.at, point(0, 0));
    this.state(de.CLIP_BOTTOM_RIGHT.at, point(width, height));
  }

  fill(area: Area, colour: number): void {
    this.#command2d(DeCommand.Clear);
    this.state(de.CLEAR_PIXEL_VALUE32.at, colour);
    this.#rectangle(area);
  }

  /** From `source` at (fromX, fromY), through a raster operation. */
  blit(source: Surface, fromX: number, fromY: number, area: Area, rop: keyof typeof Rop): void {
    this.#command2d(DeCommand.BitBlt);
    const { SOURCE_FORMAT, TILED } = de.SRC_CONFIG.fields;
    const tiled = source.layout === 'linear' ? 0 : 1;
    const config = SOURCE_FORMAT.at(PixelFormat.X8R8G8B8) + TILED.at(tiled);
    this.state(de.SRC_CONFIG.at, config);
    this.state(de.SRC_ADDRESS.at, source.address);
    this.state(de.SRC_STRIDE.at, source.stride);
    this.state(de.SRC_ORIGIN.at, point(fromX, fromY));
    this.state(de.ROP.at, de.ROP.fields.ROP_FG.at(Rop[rop]) + de.ROP.fields.TYPE.at(RopType.Rop3));
    this.#rectangle(area);
  }

  #command2d(command: number): void {
    const { FORMAT, COMMAND } = de.DEST_CONFIG.fields;
    this.state(de.DEST_CONFIG.at, FORMAT.at(PixelFormat.X8R8G8B8) + COMMAND.at(command));
  }

  #rectangle({ x, y, width, height }: Area): void {
    this.words.push(OPCODE.at(Opcode.Draw2d) + DRAW_2D.COUNT.at(1), 0);
    this.words.push(point(x, y), point(x + width, y + height));
  }
}

/** The stride as the resolve engine has it: of rows of tiles, and whether these are in supertiles. */
const rsStride = ({ layout, stride }: Surface): number => {
  const { STRIDE, TILING } = rs.DEST_STRIDE.fields;
  if (layout === 'linear') return STRIDE.at(stride);
  return STRIDE.at(stride * TILE) + TILING.at(layout === 'supertiled' ? 1 : 0);
};
