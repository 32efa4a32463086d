import { bit, defineRegisters, field } from '../../../base/types/registers';

/** Value of TE_SAMPLER_CONFIG0.TYPE that is modelled. */
export const TEXTURE_2D = 2;
/** Values of TEXTURE_FILTER. */
export const TextureFilter = { None: 0, Nearest: 1, Linear: 2 } as const;
/** Values of TEXTURE_WRAPMODE that are modelled. */
export const TextureWrap = { Repeat: 0, ClampToEdge: 2 } as const;
/** Values of TEXTURE_ADDRESSING_MODE. */
export const TextureAddressing = { Tiled: 0, Linear: 3 } as const;
/** The only value of PRIMITIVE_TYPE that is modelled. */
export const PRIMITIVE_TRIANGLES = 4;

/** Bytes of a vertex at the least: its five words. */
export const VERTEX_BYTES = 20;
/** Bits behind the point of a vertex's X and Y, and of its U and V. */
export const SUBPIXEL_BITS = 4;
export const SUBTEXEL_BITS = 8;
/** X and Y of a vertex are at the least -2048 and below 2048 pixels. */
export const COORDINATE_LIMIT = 2048;
/** U and V of a vertex are at the least -2048 and below 2048 texels. */
export const TEXEL_LIMIT = 2048;
/** The alpha with which the destination is hidden altogether. */
export const OPAQUE = 63;

/**
 * Pixel engine of GC-lite: triangles with one texture, of fixed function. Where states come from: FE_*, PE_*, TE_*
 * are the hardware's (etna_viv: rnndb state.xml, state_3d.xml, common_3d.xml); XFF_* are ours (X-FF), in place
 * of all shaders, after the model of Milkymist's TMU2 (texture mapping with chroma key and alpha of six bits).
 *
 * DRAW_PRIMITIVES of type TRIANGLES draws COUNT triangles, three vertices each, from vertex START of
 * the stream at FE_VERTEX_STREAM_BASE_ADDR on. A vertex is five little-endian words, the rest of its stride is not
 * read: X in bits 15:0 and Y in bits 31:16, signed, with 4 bits behind the point; U; V, signed, in texels,
 * with 8 bits behind the point; Q, 1 to 65535, what perspective divides by (proportional to 1/w); the colour,
 * 0x00RRGGBB.
 *
 * All arithmetic is of integers, and exact:
 *  - Pixel (x, y) is sampled at its centre, (x + 1/2, y + 1/2); y grows downwards. Either winding is drawn.
 *  - The edge from a to b, clockwise on the screen: E = (bx - ax)(py - ay) - (by - ay)(px - ax). A pixel is
 *    inside where each E > 0, or E = 0 on a top edge (horizontal, the triangle below it) or a left edge
 *    (going up): the top-left rule, so that triangles with a common edge neither overlap nor leave gaps.
 *  - Weights are b0 = floor(65536 E12 / A), b1 = floor(65536 E20 / A), b2 = 65536 - b0 - b1, with A
 *    the sum of the three E.
 *  - Without PERSPECTIVE an attribute is floor((b0 a0 + b1 a1 + b2 a2) / 65536). With it, U and V are
 *    floor((b0 q0 a0 + b1 q1 a1 + b2 q2 a2) / (b0 q0 + b1 q1 + b2 q2)); colours never.
 *  - NEAREST takes texel floor(u), floor(v). LINEAR goes by u - 1/2, v - 1/2: of the four texels around, weights
 *    are products of the 8 bits behind the point, the sum divided by 65536, rounded down, by channel.
 *  - MODULATE: channel c of the texel and m of the colour give floor(c (m + 1) / 256).
 *  - XFF_ALPHA a: floor((c (a + 1) + d (63 - a)) / 64) of what the surface has, d; 63 hides that.
 *
 * Pixels outside XFF_WINDOW are not drawn. The surface is tiled, or supertiled; its address and stride are multiples of
 * 64. It is written through the colour cache (64 lines, written back when their place is needed, or by
 * GL_FLUSH_CACHE.COLOR), texels come through the texture cache (64 lines, forgotten by
 * GL_FLUSH_CACHE.TEXTURE). A tile that is not drawn whole, or without PE_COLOR_FORMAT.OVERWRITE, is read first.
 * A field with a MASK bit is left as it is if that bit is set.
 */
export const PE = defineRegisters({
  name: 'pe',
  size: 0x2c40,
  registers: {
    FE_VERTEX_STREAM_BASE_ADDR: { at: 0x64c },
    FE_VERTEX_STREAM_CONTROL: {
      at: 0x650,
      fields: { VERTEX_STRIDE: field(0, 8), VERTEX_DIVISOR: field(16, 8).unimplemented() },
    },
    PE_DEPTH_CONFIG: { at: 0x1400, unimplemented: true },
    PE_STENCIL_OP: { at: 0x1418, unimplemented: true },
    PE_STENCIL_CONFIG: { at: 0x141c, unimplemented: true },
    PE_ALPHA_OP: { at: 0x1420, unimplemented: true },
    PE_ALPHA_CONFIG: { at: 0x1428, unimplemented: true },
    PE_COLOR_FORMAT: {
      at: 0x142c,
      fields: {
        FORMAT: field(0, 4),
        FORMAT_MASK: bit(4),
        COMPONENTS: field(8, 4),
        COMPONENTS_MASK: bit(12),
        OVERWRITE: bit(16),
        OVERWRITE_MASK: bit(17),
        SUPER_TILED: bit(20),
        SUPER_TILED_MASK: bit(21),
      },
    },
    PE_COLOR_ADDR: { at: 0x1430 },
    PE_COLOR_STRIDE: { at: 0x1434, note: 'bytes of a row of pixels' },
    XFF_CONTROL: {
      at: 0x1f00,
      note: 'X-FF',
      fields: { TEXTURE: bit(0), PERSPECTIVE: bit(1), MODULATE: bit(2), CHROMA_KEY: bit(3) },
    },
    XFF_CHROMA_KEY: {
      at: 0x1f04,
      note: 'X-FF: texels of this colour are not drawn (not filtered)',
      fields: { COLOR: field(0, 24) },
    },
    XFF_ALPHA: { at: 0x1f08, reset: OPAQUE, note: 'X-FF', fields: { ALPHA: field(0, 6) } },
    XFF_WINDOW_TOP_LEFT: {
      at: 0x1f0c,
      note: 'X-FF: inclusive',
      fields: { X: field(0, 11), Y: field(16, 11) },
    },
    XFF_WINDOW_BOTTOM_RIGHT: {
      at: 0x1f10,
      note: 'X-FF: exclusive',
      fields: { X: field(0, 12), Y: field(16, 12) },
    },
    TE_SAMPLER_CONFIG0: {
      at: 0x2000,
      fields: {
        TYPE: field(0, 3),
        UWRAP: field(3, 2),
        VWRAP: field(5, 2),
        MIN: field(7, 2),
        MIP: field(9, 2).unimplemented(),
        MAG: field(11, 2),
        FORMAT: field(13, 5),
        ROUND_UV: bit(19).unimplemented(),
        ADDRESSING_MODE: field(20, 2),
        ENDIAN: field(22, 2).unimplemented(),
        ANISOTROPY: field(24, 8).unimplemented(),
      },
    },
    TE_SAMPLER_SIZE: { at: 0x2040, fields: { WIDTH: field(0, 16), HEIGHT: field(16, 16) } },
    TE_SAMPLER_LOG_SIZE: { at: 0x2080, unimplemented: true },
    TE_SAMPLER_LOD_CONFIG: { at: 0x20c0, unimplemented: true },
    TE_SAMPLER_LOD_ADDR: { at: 0x2400, note: 'of level 0' },
    TE_SAMPLER_LINEAR_STRIDE: { at: 0x2c00, note: 'of level 0, if linear' },
  },
  notModelled: [
    'vertex and pixel shaders, vertex elements and attributes: X-FF in their place',
    'primitives other than TRIANGLES; indexed and instanced draws',
    'depth, stencil, hierarchical Z, antialiasing, several render targets, several pixel pipes',
    'samplers but the first, mipmaps, textures that are not 2D',
    'formats other than R5G6B5, X8R8G8B8 and A8R8G8B8; wrap modes other than REPEAT and CLAMP_TO_EDGE',
  ],
});
