import { i32, u8 } from '../../../base/types/arrays';
import { hex } from '../../../base/types/address';
import { UnmodelledError } from '../../../base/types/errors';
import type { StateValue } from '../../../base/types/state';
import { IdleBit } from '../regs';
import { Recipient } from '../regs/command-stream';
import { ClearMode, RS, RS_BLOCK, RS_KICK } from '../regs/rs';
import {
  LINE_BYTES,
  TILE,
  alignmentOf,
  bytesPerPixel,
  channelsOf,
  offsetOf,
  packPixel,
  unpackPixel,
} from '../regs/surface';
import type { Channels, Surface, SurfaceLayout } from '../regs/surface';
import { unitStates } from './states';
import type { UnitStates } from './states';
import type { Access, GpuMemory, GpuUnit, Progress, UnitPorts, UnitWork } from './unit';

/** What a block of 16 by 4 pixels takes, and what comes before the first: assumed. */
const BLOCK_NANOSECONDS = 16;
const SETUP_NANOSECONDS = 100;

const { width: BLOCK_WIDTH, height: BLOCK_HEIGHT } = RS_BLOCK;
const BLOCK_PIXELS = BLOCK_WIDTH * BLOCK_HEIGHT;

/** What fills a window in place of a source. */
interface Fill {
  /** By column of tiles, in turns. */
  readonly values: readonly number[];
  /** Bits of a pixel that are written. */
  readonly mask: number;
}

/** An operation, with its operands as they were when it was started. */
interface Operation {
  readonly source: Surface | null;
  readonly fill: Fill | null;
  readonly target: Surface;
  readonly width: number;
  readonly height: number;
}

/** Four bits of CLEAR_CONTROL.BITS as a mask of a pixel of 32 bits. */
const byteMask = (bits: number): number =>
  [0, 1, 2, 3].reduce((mask, byte) => mask | (((bits >>> byte) & 1) * (0xff << (8 * byte))), 0);

/** The resolve engine: see regs/rs.ts. It shares the pixel engine's pipe, and so what that answers to. */
export class ResolveEngine implements GpuUnit {
  readonly name = 'RS';
  readonly idleBit = IdleBit.PE;
  readonly recipient = Recipient.PE;
  readonly states = RS;
  readonly draws: readonly number[] = [];
  readonly #ports: UnitPorts;
  readonly #states: UnitStates<typeof RS>;

  constructor(ports: UnitPorts) {
    this.#ports = ports;
    this.#states = unitStates(RS, ports.onGuestError);
  }

  load(offset: number, value: number): UnitWork | 'loaded' | 'illegal' {
    if (!this.#states.load(offset, value)) return 'illegal';
    if (offset !== RS.registers.KICKER.at || (value & RS_KICK) === 0) return 'loaded';
    const operation = this.#operation();
    if (operation === null) return 'illegal';
    return new ResolveWork(operation, this.#ports.memory);
  }

  draw(): 'illegal' {
    return 'illegal';
  }

  flush(): null {
    return null;
  }

  reset(): void {
    this.#states.cells.reset();
  }

  saveState(): StateValue {
    return this.#states.cells.saveState();
  }

  restoreState(state: StateValue): void {
    this.#states.cells.restoreState(state);
  }

  /** Null: what the states ask for is nothing that the engine does. */
  #operation(): Operation | null {
    const { CONFIG, WINDOW_SIZE, CLEAR_CONTROL, FILL_VALUE, ...regs } = this.#states.cells;
    const { WIDTH: width, HEIGHT: height } = WINDOW_SIZE;
    if (width % BLOCK_WIDTH !== 0 || height % BLOCK_HEIGHT !== 0 || width * height === 0) {
      return this.#refuse(`a window of ${width} by ${height} pixels`);
    }
    const target = this.#surface(
      regs.DEST_ADDR.value,
      regs.DEST_STRIDE,
      CONFIG.DEST_TILED === 1,
      formatOf(CONFIG.DEST_FORMAT),
    );
    if (target === null) return null;
    if (CLEAR_CONTROL.MODE === ClearMode.Disabled) {
      const format = formatOf(CONFIG.SOURCE_FORMAT);
      const { value } = regs.SOURCE_ADDR;
      const source = this.#surface(value, regs.SOURCE_STRIDE, CONFIG.SOURCE_TILED === 1, format);
      return source === null ? null : { source, fill: null, target, width, height };
    }
    if (CLEAR_CONTROL.MODE === ClearMode.Enabled4Alternating) {
      throw new UnmodelledError('rs.CLEAR_CONTROL.MODE', 'alternating tile values');
    }
    const count = CLEAR_CONTROL.MODE === ClearMode.Enabled1 ? 1 : TILE;
    const values = Array.from({ length: count }, (_, index) => FILL_VALUE(index).value | 0);
    const mask = bytesPerPixel(target.channels) === 4 ? byteMask(CLEAR_CONTROL.BITS) : 0xffff;
    return { source: null, fill: { values, mask }, target, width, height };
  }

  #surface(
    address: number,
    { STRIDE, TILING }: { readonly STRIDE: number; readonly TILING: number },
    isTiled: boolean,
    channels: Channels,
  ): Surface | null {
    if (!isTiled && TILING === 1) return this.#refuse('a supertiled surface that is not tiled');
    const layout: SurfaceLayout = TILING === 1 ? 'supertiled' : isTiled ? 'tiled' : 'linear';
    if (address % LINE_BYTES !== 0 || STRIDE % LINE_BYTES !== 0 || STRIDE === 0) {
      return this.#refuse(`a surface at ${hex(address)} of stride ${STRIDE}`);
    }
    const stride = isTiled ? STRIDE / TILE : STRIDE;
    if (stride % (alignmentOf(layout) * bytesPerPixel(channels)) !== 0) {
      return this.#refuse(`a ${layout} surface of stride ${STRIDE}`);
    }
    return { address, stride, layout, channels };
  }

  #refuse(what: string): null {
    this.#ports.onGuestError(`rs: ${what}`);
    return null;
  }
}

/** UnmodelledError for what the sheet says is not modelled. */
const formatOf = (format: number): Channels => {
  const channels = channelsOf(format);
  if (channels === null) throw new UnmodelledError('rs.CONFIG', `format ${format}`);
  return channels;
};

/** An operation under way: block by block. */
class ResolveWork implements UnitWork {
  readonly nanoseconds: number;
  readonly #operation: Operation;
  readonly #memory: GpuMemory;
  /** Stored pixels of the block, from left to right, then down. */
  readonly #pixels = new Int32Array(BLOCK_PIXELS);
  readonly #bytes = new Uint8Array(BLOCK_PIXELS * 4);
  #x = 0;
  #y = 0;

  constructor(operation: Operation, memory: GpuMemory) {
    this.#operation = operation;
    this.#memory = memory;
    const blocks = (operation.width * operation.height) / BLOCK_PIXELS;
    this.nanoseconds = SETUP_NANOSECONDS + blocks * BLOCK_NANOSECONDS;
  }

  run(): Progress {
    const { width, height } = this.#operation;
    for (; this.#y < height; this.#y += BLOCK_HEIGHT) {
      for (; this.#x < width; this.#x += BLOCK_WIDTH) {
        const access = this.#block();
        if (access !== 'ok') return access;
      }
      this.#x = 0;
    }
    return 'done';
  }

  #block(): Access {
    const { source, fill, target } = this.#operation;
    if (source !== null) {
      const access = this.#read(source);
      if (access !== 'ok') return access;
      this.#convert(source.channels, target.channels);
    }
    if (fill !== null) {
      if (bytesPerPixel(target.channels) === 4 && fill.mask !== -1) {
        const access = this.#read(target);
        if (access !== 'ok') return access;
      }
      this.#fill(fill);
    }
    return this.#write(target);
  }

  #fill({ values, mask }: Fill): void {
    const pixels = this.#pixels;
    for (let i = 0; i < BLOCK_PIXELS; i++) {
      const column = (this.#x + (i % BLOCK_WIDTH)) / TILE;
      const value = values[Math.floor(column) % values.length] ?? 0;
      pixels[i] = (i32(pixels, i) & ~mask) | (value & mask);
    }
  }

  #convert(from: Channels, to: Channels): void {
    if (from === to) return;
    const pixels = this.#pixels;
    for (let i = 0; i < BLOCK_PIXELS; i++) {
      pixels[i] = packPixel(to, unpackPixel(from, i32(pixels, i)));
    }
  }

  #read(surface: Surface): Access {
    return this.#eachRun(surface, (address, bytes) => {
      const access = this.#memory.read(address, bytes, this.#bytes, 0);
      if (access === 'ok') this.#unpack(surface, bytes);
      return access;
    });
  }

  #write(surface: Surface): Access {
    return this.#eachRun(surface, (address, bytes) => {
      this.#pack(surface, bytes);
      return this.#memory.write(address, bytes, this.#bytes, 0);
    });
  }

  /** Pixel in the block of the run under way, and where its next ones are. */
  #runX = 0;
  #runY = 0;

  /** Calls for each part of the block that lies together in memory: a row of pixels, or a tile. */
  #eachRun(surface: Surface, access: (address: number, bytes: number) => Access): Access {
    const bytes = bytesPerPixel(surface.channels);
    const isLinear = surface.layout === 'linear';
    const count = (isLinear ? BLOCK_WIDTH : TILE * TILE) * bytes;
    for (let run = 0; run < TILE; run++) {
      this.#runX = isLinear ? 0 : run * TILE;
      this.#runY = isLinear ? run : 0;
      const offset = offsetOf(surface, this.#x + this.#runX, this.#y + this.#runY);
      const result = access((surface.address + offset) >>> 0, count);
      if (result !== 'ok') return result;
    }
    return 'ok';
  }

  /** The index in #pixels of the n-th pixel of the run. */
  #place(surface: Surface, n: number): number {
    if (surface.layout === 'linear') return this.#runY * BLOCK_WIDTH + n;
    return (n >>> 2) * BLOCK_WIDTH + this.#runX + (n & 3);
  }

  #unpack(surface: Surface, count: number): void {
    const bytes = this.#bytes;
    const size = bytesPerPixel(surface.channels);
    for (let n = 0; n < count / size; n++) {
      const at = n * size;
      const low = u8(bytes, at) | (u8(bytes, at + 1) << 8);
      const high = size === 4 ? (u8(bytes, at + 2) << 16) | (u8(bytes, at + 3) << 24) : 0;
      this.#pixels[this.#place(surface, n)] = low | high;
    }
  }

  #pack(surface: Surface, count: number): void {
    const bytes = this.#bytes;
    const size = bytesPerPixel(surface.channels);
    for (let n = 0; n < count / size; n++) {
      const pixel = i32(this.#pixels, this.#place(surface, n));
      for (let byte = 0; byte < size; byte++) bytes[n * size + byte] = pixel >>> (8 * byte);
    }
  }
}
