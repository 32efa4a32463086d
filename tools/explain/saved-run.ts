import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import { InputError } from '../../drivers/base/types/errors';
import { savedRunReader } from './saved-shape';
import type { SavedRun } from './saved-shape';

/*
 * The file that `run --save` writes: one line that says what it is, how long and which sum the
 * rest has, and the rest in MessagePack. It comes from anywhere and is read with care.
 */

const MAGIC = 'dmabench-saved-run';
/** Grows when a reader of the old form would not understand the new one. */
const FORMAT = 2;
const HEADER = /^dmabench-saved-run ([0-9]{1,9}) ([0-9]{1,9}) ([0-9a-f]{64})$/;
/** Bytes of the first line, at most. */
const LONGEST_HEADER = 128;
/** Bytes of a whole file that is read. */
export const MOST_SAVED_BYTES = 2 ** 26;

/** Plain records and lists, numbers and texts: nothing that a file could make into more. */
const packr = (): Packr =>
  new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false, int64AsType: 'number' });

const sumOf = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex');

/** The bytes of a saved run. */
export const writeSavedRun = (run: SavedRun): Uint8Array => {
  const body = packr().pack(run);
  const header = `${MAGIC} ${FORMAT} ${body.length} ${sumOf(body)}\n`;
  return Buffer.concat([Buffer.from(header), body]);
};

/**
 * Reads what writeSavedRun() wrote. InputError for anything else: another kind of file, another
 * version, one that was cut off or changed, members that are missing or wrong.
 */
export const readSavedRun = (bytes: Uint8Array, file: string): SavedRun => {
  const wrong = (expected: string, found: string): InputError =>
    new InputError({ place: file, expected, found });
  const saved = "a run that 'dmabench run --save' saved";
  const end = bytes.subarray(0, LONGEST_HEADER).indexOf(0x0a);
  const header = Buffer.from(bytes.subarray(0, Math.max(0, end))).toString('latin1');
  const [, format, length, sum] = HEADER.exec(header) ?? [];
  if (format === undefined) throw wrong(saved, 'a file of another kind');
  if (Number(format) !== FORMAT) {
    throw wrong(`a saved run of version ${FORMAT}`, `version ${format}`);
  }
  const body = bytes.subarray(end + 1);
  if (body.length !== Number(length))
    throw wrong(`${length} bytes`, `${body.length}: it was cut off`);
  if (sumOf(body) !== sum) throw wrong(saved, 'one that was changed since');
  return savedRunReader(
    unpacked(body, () => wrong(saved, 'what no MessagePack is')),
    {
      file,
      path: '',
    },
  );
};

const unpacked = (body: Uint8Array, wrong: () => InputError): unknown => {
  try {
    return packr().unpack(body);
  } catch {
    throw wrong();
  }
};
