import { f64 } from '../../../base/types/arrays';
import { SUBPIXEL_BITS } from '../regs/pe';
import { TILE } from '../regs/surface';

/** A corner of a triangle, as the data sheet has it: X and Y in sixteenths of a pixel. */
export interface Vertex {
  readonly x: number;
  readonly y: number;
  readonly u: number;
  readonly v: number;
  readonly q: number;
  readonly colour: number;
}

const SUBPIXELS = 2 ** SUBPIXEL_BITS;
const HALF = SUBPIXELS / 2;
const PIXELS = TILE * TILE;

/** Sum of the weights of a pixel. */
export const WEIGHT_ONE = 65536;

/** E = a px + b py + c, and 1 less where a pixel on the edge is outside. All integers below 2^33. */
class Edge {
  a = 0;
  b = 0;
  c = 0;
  bias = 0;

  set(from: Vertex, to: Vertex): void {
    const dx = to.x - from.x;
    const dy = to.y - from.y;
    this.a = -dy;
    this.b = dx;
    this.c = dy * from.x - dx * from.y;
    this.bias = dy < 0 || (dy === 0 && dx > 0) ? 0 : -1;
  }
}

/** One triangle, set up for going through it tile by tile: see regs/pe.ts for the arithmetic. */
export class Raster {
  /** Corners, clockwise on the screen. */
  corners: readonly [Vertex, Vertex, Vertex] | null = null;
  /** Pixels that the triangle may touch: inclusive, exclusive. */
  left = 0;
  top = 0;
  right = 0;
  bottom = 0;
  /** By pixel of the last tile: weights of the corners, of WEIGHT_ONE. */
  readonly weights0 = new Float64Array(PIXELS);
  readonly weights1 = new Float64Array(PIXELS);
  readonly #edges = [new Edge(), new Edge(), new Edge()] as const;
  #area = 0;

  /** False: it has no area, and no pixel. */
  setUp(a: Vertex, b: Vertex, c: Vertex): boolean {
    const area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    if (area === 0) return false;
    const [v0, v1, v2] = area > 0 ? [a, b, c] : [a, c, b];
    this.#area = Math.abs(area);
    this.corners = [v0, v1, v2];
    this.#edges[0].set(v1, v2);
    this.#edges[1].set(v2, v0);
    this.#edges[2].set(v0, v1);
    this.left = Math.floor(Math.min(a.x, b.x, c.x) / SUBPIXELS);
    this.top = Math.floor(Math.min(a.y, b.y, c.y) / SUBPIXELS);
    this.right = Math.ceil(Math.max(a.x, b.x, c.x) / SUBPIXELS);
    this.bottom = Math.ceil(Math.max(a.y, b.y, c.y) / SUBPIXELS);
    return true;
  }

  /** The pixels of the tile at (x, y) that are inside, bit 4 row + column; their weights are in weights0, weights1. */
  tile(x: number, y: number): number {
    const [e0, e1, e2] = this.#edges;
    const px = x * SUBPIXELS + HALF;
    const py = y * SUBPIXELS + HALF;
    let covered = 0;
    for (let row = 0; row < TILE; row++) {
      const sampleY = py + row * SUBPIXELS;
      let w0 = e0.a * px + e0.b * sampleY + e0.c;
      let w1 = e1.a * px + e1.b * sampleY + e1.c;
      let w2 = e2.a * px + e2.b * sampleY + e2.c;
      for (let column = 0; column < TILE; column++) {
        if (w0 + e0.bias >= 0 && w1 + e1.bias >= 0 && w2 + e2.bias >= 0) {
          const pixel = row * TILE + column;
          covered |= 1 << pixel;
          this.weights0[pixel] = Math.floor((w0 * WEIGHT_ONE) / this.#area);
          this.weights1[pixel] = Math.floor((w1 * WEIGHT_ONE) / this.#area);
        }
        w0 += e0.a * SUBPIXELS;
        w1 += e1.a * SUBPIXELS;
        w2 += e2.a * SUBPIXELS;
      }
    }
    return covered;
  }

  /** An attribute of a pixel of the last tile, by its values at the corners. */
  affine(pixel: number, a0: number, a1: number, a2: number): number {
    const b0 = f64(this.weights0, pixel);
    const b1 = f64(this.weights1, pixel);
    return Math.floor((b0 * a0 + b1 * a1 + (WEIGHT_ONE - b0 - b1) * a2) / WEIGHT_ONE);
  }
}
