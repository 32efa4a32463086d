import {
  DRAW_2D,
  OPCODE,
  Opcode,
  Recipient,
  TOKEN,
  loadState,
} from '../../../drivers/gpu/vivante/regs/command-stream';
import { DE, DeCommand, Rop, RopType } from '../../../drivers/gpu/vivante/regs/de';
import { ClearMode, RS, RS_KICK } from '../../../drivers/gpu/vivante/regs/rs';
import { GC_STATES } from '../../../drivers/gpu/vivante/regs/states';
import { PixelFormat } from '../../../drivers/gpu/vivante/regs/surface';

/*
 * Command streams as a client makes them, in its own memory. Bytes are taken as pixels of 32 bits, 16 to
 * a row, so that a row is 64 bytes and a surface is memory in order.
 */

/** Bytes of a row. */
export const ROW = 64;
/** What the resolve engine moves at least: 4 rows. */
export const BLOCK = 4 * ROW;
const PIXELS = ROW / 4;

/** One state. */
export const state = (offset: number, value: number): readonly number[] => [
  loadState(offset, 1),
  value >>> 0,
];

const { PIPE_SELECT, FLUSH_CACHE, SEMAPHORE_TOKEN } = GC_STATES.registers;

/** The front end waits until an engine has done what it was told. */
export const stall = (recipient: number): readonly number[] => {
  const token = TOKEN.FROM.at(Recipient.FE) + TOKEN.TO.at(recipient);
  return [...state(SEMAPHORE_TOKEN.at, token), OPCODE.at(Opcode.Stall), token];
};

/** The caches of an engine are written back and emptied, and the front end waits for that. */
export const flush = (engine: 'PE' | 'DE'): readonly number[] => {
  const { COLOR, PE2D, TEXTURE } = FLUSH_CACHE.fields;
  const caches = engine === 'DE' ? PE2D.at(1) : COLOR.at(1) + TEXTURE.at(1);
  return [...state(FLUSH_CACHE.at, caches), ...stall(Recipient[engine])];
};

const window = (size: number): readonly number[] => {
  const { WIDTH, HEIGHT } = RS.registers.WINDOW_SIZE.fields;
  return state(RS.registers.WINDOW_SIZE.at, WIDTH.at(PIXELS) + HEIGHT.at(size / ROW));
};

const config = ((): readonly number[] => {
  const { SOURCE_FORMAT, DEST_FORMAT } = RS.registers.CONFIG.fields;
  const { A8R8G8B8 } = PixelFormat;
  return state(RS.registers.CONFIG.at, SOURCE_FORMAT.at(A8R8G8B8) + DEST_FORMAT.at(A8R8G8B8));
})();

/** Fills [va, va + size) with a word; `size` in BLOCKs. The resolve engine has no cache. */
export const fill = (va: number, size: number, value: number): readonly number[] => {
  const { BITS, MODE } = RS.registers.CLEAR_CONTROL.fields;
  return [
    ...state(PIPE_SELECT.at, 0),
    ...config,
    ...state(RS.registers.DEST_ADDR.at, va),
    ...state(RS.registers.DEST_STRIDE.at, ROW),
    ...window(size),
    ...state(RS.registers.FILL_VALUE.at, value),
    ...state(RS.registers.CLEAR_CONTROL.at, BITS.at(0xffff) + MODE.at(ClearMode.Enabled1)),
    ...state(RS.registers.KICKER.at, RS_KICK),
    ...stall(Recipient.PE),
  ];
};

/** Copies `size` bytes, in BLOCKs. */
export const copy = (to: number, from: number, size: number): readonly number[] => [
  ...state(PIPE_SELECT.at, 0),
  ...config,
  ...state(RS.registers.SOURCE_ADDR.at, from),
  ...state(RS.registers.SOURCE_STRIDE.at, ROW),
  ...state(RS.registers.DEST_ADDR.at, to),
  ...state(RS.registers.DEST_STRIDE.at, ROW),
  ...window(size),
  ...state(RS.registers.CLEAR_CONTROL.at, 0),
  ...state(RS.registers.KICKER.at, RS_KICK),
  ...stall(Recipient.PE),
];

const POINT = DE.registers.CLIP_TOP_LEFT.fields;
const point = (x: number, y: number): number => POINT.X.at(x) + POINT.Y.at(y);
const MOST_ROWS = 0x7fff;

const target = (va: number, command: number): readonly number[] => {
  const { FORMAT, COMMAND } = DE.registers.DEST_CONFIG.fields;
  return [
    ...state(PIPE_SELECT.at, 1),
    ...state(DE.registers.DEST_ADDRESS.at, va),
    ...state(DE.registers.DEST_STRIDE.at, ROW),
    ...state(DE.registers.DEST_CONFIG.at, FORMAT.at(PixelFormat.A8R8G8B8) + COMMAND.at(command)),
    ...state(DE.registers.CLIP_TOP_LEFT.at, point(0, 0)),
    ...state(DE.registers.CLIP_BOTTOM_RIGHT.at, point(PIXELS, MOST_ROWS)),
  ];
};

const rectangle = (x: number, y: number, width: number, height: number): readonly number[] => [
  OPCODE.at(Opcode.Draw2d) + DRAW_2D.COUNT.at(1),
  0,
  point(x, y),
  point(x + width, y + height),
];

/** A word to be written. */
export interface Poke {
  /** From the surface's beginning, a multiple of 4. */
  readonly offset: number;
  readonly value: number;
}

/** Writes words one by one, through the 2D engine's cache, which is flushed (MI_STORE_DWORD_IMM). */
export const poke = (va: number, words: readonly Poke[]): readonly number[] => [
  ...target(va, DeCommand.Clear),
  ...words.flatMap(({ offset, value }) => [
    ...state(DE.registers.CLEAR_PIXEL_VALUE32.at, value),
    ...rectangle((offset % ROW) / 4, Math.floor(offset / ROW), 1, 1),
  ]),
  ...flush('DE'),
];

/** Copies `size` bytes, in rows, by the 2D engine. */
export const blit = (to: number, from: number, size: number): readonly number[] => {
  const { SOURCE_FORMAT } = DE.registers.SRC_CONFIG.fields;
  const { ROP_FG, ROP_BG, TYPE } = DE.registers.ROP.fields;
  const rop = ROP_FG.at(Rop.Copy) + ROP_BG.at(Rop.Copy) + TYPE.at(RopType.Rop3);
  return [
    ...target(to, DeCommand.BitBlt),
    ...state(DE.registers.SRC_ADDRESS.at, from),
    ...state(DE.registers.SRC_STRIDE.at, ROW),
    ...state(DE.registers.SRC_CONFIG.at, SOURCE_FORMAT.at(PixelFormat.A8R8G8B8)),
    ...state(DE.registers.SRC_ORIGIN.at, 0),
    ...state(DE.registers.ROP.at, rop),
    ...rectangle(0, 0, PIXELS, size / ROW),
    ...flush('DE'),
  ];
};

/** Goes for ever: an engine is waited for whom nothing was asked of (an igt_spin that does not end). */
export const hang = (): readonly number[] => {
  const token = TOKEN.FROM.at(Recipient.FE) + TOKEN.TO.at(Recipient.PE);
  return [OPCODE.at(Opcode.Stall), token];
};
