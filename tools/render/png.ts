import { crc32, deflateSync } from 'node:zlib';

/** A picture: 0x00RRGGBB by pixel, row after row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint32Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** IHDR: bits of a channel, and a colour type: red, green, blue. */
const DEPTH = 8;
const TRUE_COLOUR = 2;
/** The filter of a row: none. */
const NO_FILTER = 0;

const chunk = (type: string, data: Uint8Array): Buffer => {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
};

/** Three bytes a pixel: red, green, blue. */
export const bytesOf = ({ pixels }: Picture): Uint8Array => {
  const bytes = new Uint8Array(pixels.length * 3);
  pixels.forEach((pixel, i) => {
    bytes[3 * i] = Math.floor(pixel / 0x1_0000);
    bytes[3 * i + 1] = Math.floor(pixel / 0x100);
    bytes[3 * i + 2] = pixel;
  });
  return bytes;
};

/** The picture as a PNG file (RFC 2083): eight bits a channel, no filters. */
export const encodePng = (picture: Picture): Buffer => {
  const { width, height } = picture;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([DEPTH, TRUE_COLOUR, 0, 0, 0], 8);
  const bytes = bytesOf(picture);
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) {
    rows[y * (1 + 3 * width)] = NO_FILTER;
    rows.set(bytes.subarray(y * 3 * width, (y + 1) * 3 * width), y * (1 + 3 * width) + 1);
  }
  return Buffer.concat([
    Buffer.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
};
