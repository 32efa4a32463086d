/*
 * How pixels lie in memory, as the engines have them and as software that writes a texture or reads a
 * picture must: pixel formats, tiles and supertiles (etna_viv, doc/hardware.md: texture tiling,
 * supertiling; rnndb: RS_FORMAT, PE_FORMAT, DE_FORMAT).
 */

/** Values of RS_FORMAT, PE_FORMAT and DE_FORMAT, which are the same up to here. */
export const PixelFormat = {
  X4R4G4B4: 0,
  A4R4G4B4: 1,
  X1R5G5B5: 2,
  A1R5G5B5: 3,
  R5G6B5: 4,
  X8R8G8B8: 5,
  A8R8G8B8: 6,
  YUY2: 7,
} as const;

/** Values of TEXTURE_FORMAT that are modelled. */
export const TextureFormat = { A8R8G8B8: 7, X8R8G8B8: 8, R5G6B5: 11 } as const;

/** What a pixel is made of, for the engines: what they read as alpha of RGB and XRGB is 255. */
export type Channels = 'rgb565' | 'xrgb8888' | 'argb8888';

export const bytesPerPixel = (channels: Channels): number => (channels === 'rgb565' ? 2 : 4);

/** What is modelled of PixelFormat; null: the rest. */
export const channelsOf = (format: number): Channels | null => {
  switch (format) {
    case PixelFormat.R5G6B5:
      return 'rgb565';
    case PixelFormat.X8R8G8B8:
      return 'xrgb8888';
    case PixelFormat.A8R8G8B8:
      return 'argb8888';
    default:
      return null;
  }
};

/** What is modelled of TEXTURE_FORMAT; null: the rest. */
export const texelChannelsOf = (format: number): Channels | null => {
  switch (format) {
    case TextureFormat.R5G6B5:
      return 'rgb565';
    case TextureFormat.X8R8G8B8:
      return 'xrgb8888';
    case TextureFormat.A8R8G8B8:
      return 'argb8888';
    default:
      return null;
  }
};

/** A stored pixel, 16 or 32 bits, as 0xAARRGGBB. Five and six bits are widened by their own top bits. */
export const unpackPixel = (channels: Channels, stored: number): number => {
  if (channels === 'argb8888') return stored | 0;
  if (channels === 'xrgb8888') return stored | ~0xff_ffff;
  const red = (stored >>> 11) & 0x1f;
  const green = (stored >>> 5) & 0x3f;
  const blue = stored & 0x1f;
  const wide = (((red << 3) | (red >>> 2)) << 16) | (((green << 2) | (green >>> 4)) << 8);
  return wide | ~0xff_ffff | (blue << 3) | (blue >>> 2);
};

/** 0xAARRGGBB as it is stored. Narrower channels lose their low bits: nothing is dithered. */
export const packPixel = (channels: Channels, argb: number): number => {
  if (channels === 'argb8888') return argb | 0;
  if (channels === 'xrgb8888') return argb & 0xff_ffff;
  return ((argb >>> 8) & 0xf800) | ((argb >>> 5) & 0x7e0) | ((argb >>> 3) & 0x1f);
};

/** Pixels of a tile in each direction; with 32 bits a pixel a tile is one line of 64 bytes. */
export const TILE = 4;
/** Pixels of a supertile in each direction; with 32 bits a pixel it is four pages. */
export const SUPERTILE = 64;
/** Bytes of a line: what caches of the GPU hold and transfer. */
export const LINE_BYTES = 64;

export type SurfaceLayout = 'linear' | 'tiled' | 'supertiled';

/** Pixels in memory. */
export interface Surface {
  /** At the GPU's own addresses. */
  readonly address: number;
  /**
   * Bytes of a row of pixels. A row of tiles takes four times as much; that is what the resolve engine
   * calls its stride where a surface is tiled.
   */
  readonly stride: number;
  readonly layout: SurfaceLayout;
  readonly channels: Channels;
}

/** What a surface's width and height have to be multiples of. */
export const alignmentOf = (layout: SurfaceLayout): number => {
  switch (layout) {
    case 'linear':
      return 1;
    case 'tiled':
      return TILE;
    case 'supertiled':
      return SUPERTILE;
  }
};

/**
 * Number of a tile in its supertile by its place there, in tiles: two wide and four high, then to the
 * right, then down. With 32 bits a pixel a page is so a strip of 64 by 16 pixels.
 */
const tileInSupertile = (x: number, y: number): number =>
  (x & 1) | ((y & 3) << 1) | ((x >>> 1) << 3) | ((y >>> 2) << 6);

/** Byte offset of a pixel from its surface's address. Coordinates are below 2^16. */
export const offsetOf = ({ stride, layout, channels }: Surface, x: number, y: number): number => {
  const bytes = bytesPerPixel(channels);
  if (layout === 'linear') return y * stride + x * bytes;
  const inTile = ((y & 3) * TILE + (x & 3)) * bytes;
  const tileBytes = TILE * TILE * bytes;
  if (layout === 'tiled') return (y >>> 2) * TILE * stride + (x >>> 2) * tileBytes + inTile;
  const tile = tileInSupertile((x >>> 2) & 15, (y >>> 2) & 15);
  const supertile = (y >>> 6) * SUPERTILE * stride + (x >>> 6) * SUPERTILE * SUPERTILE * bytes;
  return supertile + tile * tileBytes + inTile;
};
