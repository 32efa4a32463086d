/*
 * What is to be drawn, as data. How it is drawn, by which engine and from which memory, is not a scene's matter:
 * see frame.ts.
 */

/** 0xRRGGBB. */
export type Colour = number;

/** A texture that is computed: squares of `cell` texels, or rings about the middle, `cell` texels wide. */
export interface TextureSpec {
  readonly pattern: 'checker' | 'bricks' | 'rings';
  /** Texels in each direction, a multiple of 4. */
  readonly size: number;
  readonly cell: number;
  readonly colours: readonly [Colour, Colour];
  readonly format: 'xrgb8888' | 'rgb565';
  readonly layout: 'tiled' | 'linear';
}

/** A corner: pixels, texels, how far away it is (1 if absent), its colour (white if absent). */
export interface Corner {
  readonly at: readonly [number, number];
  readonly uv?: readonly [number, number];
  readonly w?: number;
  readonly colour?: Colour;
}

/** Polygons that are drawn alike: each convex, as a fan of triangles about its first corner. */
export interface Batch {
  /** Of the scene's textures; absent: colours alone. */
  readonly texture?: string;
  readonly filter?: 'nearest' | 'linear';
  readonly wrap?: 'repeat' | 'clamp';
  readonly perspective?: boolean;
  /** Texels are multiplied by colours. */
  readonly modulate?: boolean;
  /** Texels of this colour are not drawn. */
  readonly key?: Colour;
  /** 0 to 63, which is opaque. */
  readonly alpha?: number;
  readonly polygons: readonly (readonly Corner[])[];
}

/** A rectangle that the 2D engine fills, on top of all batches. */
export interface Fill {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly colour: Colour;
}

/** A line of text that the 2D engine puts on top of all that. */
export interface Text {
  readonly at: readonly [number, number];
  readonly text: string;
  /** `invert`: whatever is behind it is inverted. */
  readonly ink: 'white' | 'black' | 'invert';
}

export interface Scene {
  readonly name: string;
  readonly summary: string;
  /** Pixels: multiples of 64 and of 4. */
  readonly width: number;
  readonly height: number;
  readonly background: Colour;
  readonly textures: Readonly<Record<string, TextureSpec>>;
  readonly batches: readonly Batch[];
  readonly fills: readonly Fill[];
  readonly texts: readonly Text[];
}

/** The colour of a texel. */
export const texelOf = (
  { pattern, size, cell, colours }: TextureSpec,
  x: number,
  y: number,
): Colour => {
  const [one, other] = colours;
  const row = Math.floor(y / cell);
  switch (pattern) {
    case 'checker':
      return (Math.floor(x / cell) + row) % 2 === 0 ? one : other;
    case 'bricks': {
      // Every other row is half a brick off; joints are a texel wide.
      const along = (x + (row % 2) * cell) % (2 * cell);
      return y % cell === 0 || along === 0 ? other : one;
    }
    case 'rings': {
      const [dx, dy] = [2 * x + 1 - size, 2 * y + 1 - size];
      return Math.floor(Math.sqrt(dx * dx + dy * dy) / (2 * cell)) % 2 === 0 ? one : other;
    }
  }
};
