import { bit, defineRegisters, field } from '../../../base/types/registers';

/** Values of DEST_CONFIG.COMMAND that are modelled. */
export const DeCommand = { Clear: 0, BitBlt: 2 } as const;
/** Values of ROP.TYPE that are modelled. */
export const RopType = { Rop3: 2 } as const;
/** Codes of ROP3 that have a name: bit `destination + 2 source + 4 pattern` is the result. */
export const Rop = {
  Clear: 0x00,
  Nor: 0x11,
  AndInverted: 0x22,
  CopyInverted: 0x33,
  AndReverse: 0x44,
  Invert: 0x55,
  Xor: 0x66,
  Nand: 0x77,
  And: 0x88,
  Equiv: 0x99,
  Noop: 0xaa,
  OrInverted: 0xbb,
  Copy: 0xcc,
  OrReverse: 0xdd,
  Or: 0xee,
  Set: 0xff,
} as const;

const POINT = { X: field(0, 15), Y: field(16, 15) };
const STRIDE = { STRIDE: field(0, 18) };

/**
 * Drawing engine, the 2D engine (etna_viv: rnndb state_2d.xml, stripe DE; doc/2d.md), as PE20 has it. DRAW_2D
 * draws rectangles: after the header and a word of padding two words each, top left (inclusive) and bottom
 * right (exclusive), X in bits 15:0 and Y in bits 31:16; what is beyond the clipping rectangle is not drawn.
 *
 * CLEAR fills with CLEAR_PIXEL_VALUE32, an A8R8G8B8 colour. BIT_BLT takes source and destination through
 * ROP.ROP_FG, bit by bit, in the destination's format: the source is converted before. The source rectangle of each
 * is as large as the destination's; its top left corner is SRC_ORIGIN, or, with SRC_RELATIVE, that of the
 * destination with SRC_ORIGIN (signed) added. Pixels go from left to right, then down, one after another:
 * where source and destination overlap, what is written early may be read late.
 *
 * The source is linear or tiled (SRC_CONFIG.TILED), the destination linear. Addresses and strides are multiples of 64.
 * Both go through the 2D pixel cache (32 lines, written back when their place is needed, or by
 * GL_FLUSH_CACHE.PE2D, which also empties it); a line that is not written whole is read first.
 */
export const DE = defineRegisters({
  name: 'de',
  size: 0x1300,
  registers: {
    SRC_ADDRESS: { at: 0x1200 },
    SRC_STRIDE: { at: 0x1204, fields: STRIDE },
    SRC_ROTATION_CONFIG: { at: 0x1208, unimplemented: true },
    SRC_CONFIG: {
      at: 0x120c,
      fields: {
        PE10_SOURCE_FORMAT: field(0, 4).unimplemented(),
        TRANSPARENCY: field(4, 2).unimplemented(),
        SRC_RELATIVE: bit(6),
        TILED: bit(7),
        LOCATION: bit(8).unimplemented(),
        PACK: field(12, 2).unimplemented(),
        SWIZZLE: field(20, 2).unimplemented(),
        SOURCE_FORMAT: field(24, 5),
        ENDIAN_CONTROL: field(30, 2).unimplemented(),
      },
    },
    SRC_ORIGIN: { at: 0x1210, fields: { X: field(0, 16), Y: field(16, 16) } },
    SRC_SIZE: {
      at: 0x1214,
      fields: { X: field(0, 16), Y: field(16, 16) },
      note: 'of stretched blits: not read',
    },
    STRETCH_FACTOR_LOW: { at: 0x1220, unimplemented: true },
    STRETCH_FACTOR_HIGH: { at: 0x1224, unimplemented: true },
    DEST_ADDRESS: { at: 0x1228 },
    DEST_STRIDE: { at: 0x122c, fields: STRIDE },
    DEST_ROTATION_CONFIG: { at: 0x1230, unimplemented: true },
    DEST_CONFIG: {
      at: 0x1234,
      fields: {
        FORMAT: field(0, 5),
        TILED: bit(8).unimplemented(),
        COMMAND: field(12, 4),
        SWIZZLE: field(16, 2).unimplemented(),
        ENDIAN_CONTROL: field(20, 2).unimplemented(),
        MINOR_TILED: bit(26).unimplemented(),
      },
    },
    PATTERN_CONFIG: { at: 0x123c, unimplemented: true },
    ROP: {
      at: 0x125c,
      fields: { ROP_FG: field(0, 8), ROP_BG: field(8, 8), TYPE: field(20, 2) },
    },
    CLIP_TOP_LEFT: { at: 0x1260, fields: POINT },
    CLIP_BOTTOM_RIGHT: { at: 0x1264, fields: POINT },
    CONFIG: { at: 0x126c, unimplemented: true },
    ALPHA_CONTROL: { at: 0x127c, unimplemented: true },
    ALPHA_MODES: { at: 0x1280, unimplemented: true },
    ROT_ANGLE: { at: 0x12bc, unimplemented: true },
    CLEAR_PIXEL_VALUE32: { at: 0x12c0 },
    COLOR_MULTIPLY_MODES: { at: 0x12d0, unimplemented: true },
    PE_TRANSPARENCY: { at: 0x12d4, unimplemented: true },
    PE_CONTROL: { at: 0x12d8, unimplemented: true },
  },
  notModelled: [
    'lines, stretched, filtered and multi-source blits, rotation, mirroring, patterns, alpha blending',
    'ROP2, ROP4, and codes of ROP3 that depend on the pattern',
    'formats other than R5G6B5, X8R8G8B8 and A8R8G8B8',
  ],
});
