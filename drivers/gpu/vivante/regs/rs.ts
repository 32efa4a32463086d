import { bit, defineRegisters, field } from '../../../base/types/registers';

/** Pixels that the engine takes at a time: four tiles side by side. */
export const RS_BLOCK = { width: 16, height: 4 } as const;

/** Values of CLEAR_CONTROL.MODE. */
export const ClearMode = { Disabled: 0, Enabled1: 1, Enabled4: 2, Enabled4Alternating: 3 } as const;

/** What RS_KICKER starts at the least: bit 0. */
export const RS_KICK = 1;

/**
 * Resolve engine (etna_viv: rnndb state_3d.xml, stripe RS; doc/hardware.md). Copies a window of pixels from
 * one surface to another, of other tiles and another format if need be, or fills it. Starts when RS_KICKER is
 * written with bit 0 set, with the states as they are then.
 *
 * The window is a multiple of 16 by 4 pixels; it is gone through in blocks of that size, from left to right,
 * then down; a block is read before it is written. Strides of tiled surfaces are those of rows of
 * tiles. TILING in a stride makes a tiled surface supertiled. Addresses are multiples of 64, as are strides.
 *
 * CLEAR_CONTROL.MODE 0 copies; 1 fills with FILL_VALUE(0); 2 fills tiles in turns, by their column, with the four
 * values. BITS, in these modes, says which of the four bytes of a pixel are written; all are with two bytes a pixel.
 *
 * The engine reads and writes memory itself: what the pixel engine's colour cache has, it does not see.
 */
export const RS = defineRegisters({
  name: 'rs',
  size: 0x1700,
  registers: {
    KICKER: { at: 0x1600 },
    CONFIG: {
      at: 0x1604,
      fields: {
        SOURCE_FORMAT: field(0, 5),
        DOWNSAMPLE_X: bit(5).unimplemented(),
        DOWNSAMPLE_Y: bit(6).unimplemented(),
        SOURCE_TILED: bit(7),
        DEST_FORMAT: field(8, 5),
        DEST_TILED: bit(14),
        SWAP_RB: bit(29).unimplemented(),
        FLIP: bit(30).unimplemented(),
      },
    },
    SOURCE_ADDR: { at: 0x1608 },
    SOURCE_STRIDE: {
      at: 0x160c,
      fields: { STRIDE: field(0, 18), MULTI: bit(30).unimplemented(), TILING: bit(31) },
    },
    DEST_ADDR: { at: 0x1610 },
    DEST_STRIDE: {
      at: 0x1614,
      fields: { STRIDE: field(0, 18), MULTI: bit(30).unimplemented(), TILING: bit(31) },
    },
    WINDOW_SIZE: { at: 0x1620, fields: { WIDTH: field(0, 16), HEIGHT: field(16, 16) } },
    DITHER: { at: 0x1630, count: 2, unimplemented: true },
    CLEAR_CONTROL: { at: 0x163c, fields: { BITS: field(0, 16), MODE: field(16, 2) } },
    FILL_VALUE: { at: 0x1640, count: 4 },
    EXTRA_CONFIG: {
      at: 0x16a0,
      fields: { AA: field(0, 2).unimplemented(), ENDIAN: field(8, 2).unimplemented() },
    },
    KICKER_INPLACE: { at: 0x16b0, unimplemented: true },
  },
  notModelled: [
    'tile status (fast clear) of the source',
    'formats other than R5G6B5, X8R8G8B8 and A8R8G8B8',
    'several pixel pipes',
  ],
});
