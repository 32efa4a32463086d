import { hex } from '../../../base/types/address';
import { UnmodelledError } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { StateValue } from '../../../base/types/state';
import { IdleBit } from '../regs';
import { DRAW_WORDS, Opcode, Recipient } from '../regs/command-stream';
import {
  PE,
  PRIMITIVE_TRIANGLES,
  TEXTURE_2D,
  TextureAddressing,
  TextureFilter,
  TextureWrap,
  VERTEX_BYTES,
} from '../regs/pe';
import {
  LINE_BYTES,
  alignmentOf,
  bytesPerPixel,
  channelsOf,
  texelChannelsOf,
} from '../regs/surface';
import type { Channels, Surface, SurfaceLayout } from '../regs/surface';
import { GC_STATES } from '../regs/states';
import { FlushWork } from './flush';
import type { LineCache } from './line-cache';
import type { Texture } from './sampler';
import { unitStates } from './states';
import type { UnitStates } from './states';
import { TriangleWork } from './triangles';
import type { TriangleDraw } from './triangles';
import type { DrawCommand, GpuMemory, GpuUnit, UnitPorts, UnitWork } from './unit';

const { COLOR, TEXTURE } = GC_STATES.registers.FLUSH_CACHE.fields;

/** More triangles than this are no draw but a wrong count. */
const MAX_TRIANGLES = 65536;

/** The first address that is none. */
const ADDRESS_END = 2 ** 32;

/** Bits of PE_COLOR_FORMAT.COMPONENTS, red first, as bytes of a pixel of 32 bits. */
const COMPONENT_BITS = [0xff_0000, 0xff00, 0xff, ~0xff_ffff];
const ALL_COMPONENTS = 15;

/** What the pixel engine is made of. */
export interface PixelEngineParts {
  readonly ports: UnitPorts;
  /** As vertices are read. */
  readonly memory: GpuMemory;
  readonly colour: LineCache;
  readonly texels: LineCache;
}

/** The pixel engine and what feeds it: see regs/pe.ts. */
export class PixelEngine implements GpuUnit {
  readonly name = 'PE';
  readonly idleBit = IdleBit.PE;
  readonly recipient = Recipient.PE;
  readonly states = PE;
  readonly draws: readonly number[] = [Opcode.DrawPrimitives];
  readonly #parts: PixelEngineParts;
  readonly #states: UnitStates<typeof PE>;

  constructor(parts: PixelEngineParts) {
    this.#parts = parts;
    this.#states = unitStates(PE, parts.ports.onGuestError);
  }

  load(offset: number, value: number): 'loaded' | 'illegal' {
    const isFormat = offset === PE.registers.PE_COLOR_FORMAT.at;
    const format = this.#states.cells.PE_COLOR_FORMAT.value;
    if (!this.#states.load(offset, value)) return 'illegal';
    if (isFormat) this.#states.cells.PE_COLOR_FORMAT.value = mergeFormat(format, value);
    return 'loaded';
  }

  draw({ words }: DrawCommand): UnitWork | 'illegal' {
    const [, type = 0, start = 0, count = 0] = words;
    if (words.length !== DRAW_WORDS.primitives) return this.#refuse(`${words.length} words`);
    if (type !== PRIMITIVE_TRIANGLES) {
      throw new UnmodelledError('pe: DRAW_PRIMITIVES', `primitives of type ${type}`);
    }
    if (count > MAX_TRIANGLES) return this.#refuse(`a draw of ${count} triangles`);
    const draw = this.#operands(start, count);
    if (draw === 'illegal') return draw;
    const { memory, colour, texels, ports } = this.#parts;
    return new TriangleWork(draw, { memory, colour, texels, onGuestError: ports.onGuestError });
  }

  flush(caches: number): UnitWork | null {
    const { colour, texels } = this.#parts;
    const asked = [
      ...(COLOR.of(caches) === 0 ? [] : [colour]),
      ...(TEXTURE.of(caches) === 0 ? [] : [texels]),
    ];
    return asked.length === 0 ? null : new FlushWork(asked);
  }

  reset(): void {
    this.#states.cells.reset();
    this.#parts.colour.reset();
    this.#parts.texels.reset();
  }

  saveState(): StateValue {
    const { colour, texels } = this.#parts;
    return {
      states: this.#states.cells.saveState(),
      colour: colour.saveState(),
      texels: texels.saveState(),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'pe');
    this.#states.cells.restoreState(reader.value('states'));
    this.#parts.colour.restoreState(reader.value('colour'));
    this.#parts.texels.restoreState(reader.value('texels'));
  }

  #operands(start: number, count: number): TriangleDraw | 'illegal' {
    const { PE_COLOR_FORMAT, XFF_CONTROL, ...regs } = this.#states.cells;
    const { VERTEX_STRIDE: vertexStride } = regs.FE_VERTEX_STREAM_CONTROL;
    const vertices = regs.FE_VERTEX_STREAM_BASE_ADDR.value + start * vertexStride;
    if (vertexStride < VERTEX_BYTES || vertexStride % 4 !== 0 || vertices % 4 !== 0) {
      return this.#refuse(`vertices at ${hex(vertices)}, ${vertexStride} bytes each`);
    }
    if (vertices + 3 * count * vertexStride > ADDRESS_END) {
      return this.#refuse(`${3 * count} vertices from ${hex(vertices)} on`);
    }
    const target = this.#target();
    if (target === 'illegal') return target;
    const texture = XFF_CONTROL.TEXTURE === 1 ? this.#texture() : null;
    if (texture === 'illegal') return texture;
    return {
      vertices,
      vertexStride,
      count,
      target,
      window: {
        left: regs.XFF_WINDOW_TOP_LEFT.X,
        top: regs.XFF_WINDOW_TOP_LEFT.Y,
        right: regs.XFF_WINDOW_BOTTOM_RIGHT.X,
        bottom: regs.XFF_WINDOW_BOTTOM_RIGHT.Y,
      },
      mask: this.#mask(target.channels),
      overwrites: PE_COLOR_FORMAT.OVERWRITE === 1,
      texture,
      isPerspective: XFF_CONTROL.PERSPECTIVE === 1,
      isModulated: XFF_CONTROL.MODULATE === 1,
      chromaKey: XFF_CONTROL.CHROMA_KEY === 1 ? regs.XFF_CHROMA_KEY.COLOR : null,
      alpha: regs.XFF_ALPHA.ALPHA,
    };
  }

  #target(): Surface | 'illegal' {
    const { PE_COLOR_FORMAT, PE_COLOR_ADDR, PE_COLOR_STRIDE } = this.#states.cells;
    const channels = channelsOf(PE_COLOR_FORMAT.FORMAT);
    if (channels === null) {
      throw new UnmodelledError('pe.PE_COLOR_FORMAT', `format ${PE_COLOR_FORMAT.FORMAT}`);
    }
    const layout: SurfaceLayout = PE_COLOR_FORMAT.SUPER_TILED === 1 ? 'supertiled' : 'tiled';
    return this.#surface(PE_COLOR_ADDR.value, PE_COLOR_STRIDE.value, layout, channels);
  }

  #surface(
    address: number,
    stride: number,
    layout: SurfaceLayout,
    channels: Channels,
  ): Surface | 'illegal' {
    const unit = layout === 'linear' ? LINE_BYTES : alignmentOf(layout) * bytesPerPixel(channels);
    if (address % LINE_BYTES !== 0 || stride === 0 || stride % unit !== 0) {
      return this.#refuse(`a ${layout} surface at ${hex(address)} of stride ${stride}`);
    }
    return { address, stride, layout, channels };
  }

  #mask(channels: Channels): number {
    const { COMPONENTS } = this.#states.cells.PE_COLOR_FORMAT;
    if (COMPONENTS === ALL_COMPONENTS) return -1;
    if (channels === 'rgb565') {
      throw new UnmodelledError('pe.PE_COLOR_FORMAT.COMPONENTS', 'of R5G6B5');
    }
    return COMPONENT_BITS.reduce((mask, bits, i) => mask | (((COMPONENTS >>> i) & 1) * bits), 0);
  }

  #texture(): Texture | 'illegal' {
    const { TE_SAMPLER_CONFIG0: config, TE_SAMPLER_SIZE: size, ...regs } = this.#states.cells;
    const channels = texelChannelsOf(config.FORMAT);
    const unmodelled = this.#unmodelledSampler(channels);
    if (unmodelled !== null || channels === null) {
      throw new UnmodelledError('pe.TE_SAMPLER_CONFIG0', unmodelled ?? 'format');
    }
    const { WIDTH: width, HEIGHT: height } = size;
    if (width === 0 || height === 0) return this.#refuse(`a texture of ${width} by ${height}`);
    const isTiled = config.ADDRESSING_MODE === TextureAddressing.Tiled;
    const align = alignmentOf('tiled');
    const rounded = width + ((align - (width % align)) % align);
    const stride = isTiled
      ? rounded * bytesPerPixel(channels)
      : regs.TE_SAMPLER_LINEAR_STRIDE.value;
    const address = regs.TE_SAMPLER_LOD_ADDR.value;
    const surface = this.#surface(address, stride, isTiled ? 'tiled' : 'linear', channels);
    if (surface === 'illegal') return surface;
    const isLinear = config.MAG === TextureFilter.Linear;
    return { surface, width, height, isLinear, wrapU: config.UWRAP, wrapV: config.VWRAP };
  }

  /** What of the sampler's configuration is not modelled; null: all is. */
  #unmodelledSampler(channels: Channels | null): string | null {
    const { TE_SAMPLER_CONFIG0: config } = this.#states.cells;
    const { TYPE, UWRAP, VWRAP, MIN, MAG, FORMAT, ADDRESSING_MODE } = config;
    const wraps: readonly number[] = Object.values(TextureWrap);
    if (channels === null) return `format ${FORMAT}`;
    if (TYPE !== TEXTURE_2D) return `texture of type ${TYPE}`;
    if (!wraps.includes(UWRAP) || !wraps.includes(VWRAP)) return `wrap modes ${UWRAP}, ${VWRAP}`;
    if (MIN !== MAG || (MAG !== TextureFilter.Nearest && MAG !== TextureFilter.Linear)) {
      return `filters ${MIN}, ${MAG}`;
    }
    const modes: readonly number[] = Object.values(TextureAddressing);
    return modes.includes(ADDRESSING_MODE) ? null : `addressing mode ${ADDRESSING_MODE}`;
  }

  #refuse(what: string): 'illegal' {
    this.#parts.ports.onGuestError(`pe: ${what}`);
    return 'illegal';
  }
}

/** Fields with a mask bit that is set stay as they are. The mask bits themselves are not kept. */
const mergeFormat = (before: number, written: number): number => {
  const { fields } = PE.registers.PE_COLOR_FORMAT;
  const pairs = [
    [fields.FORMAT, fields.FORMAT_MASK],
    [fields.COMPONENTS, fields.COMPONENTS_MASK],
    [fields.OVERWRITE, fields.OVERWRITE_MASK],
    [fields.SUPER_TILED, fields.SUPER_TILED_MASK],
  ] as const;
  return pairs.reduce(
    (value, [field, mask]) => value | field.at(field.of(mask.of(written) === 1 ? before : written)),
    0,
  );
};
