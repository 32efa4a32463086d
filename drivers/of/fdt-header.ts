import { InputError } from '../base/types/errors';
import { hex } from '../base/types/address';
import type { DiagnosticList } from './diagnostics';
import {
  FDT_COMPATIBLE_VERSION,
  FDT_MAGIC,
  FDT_VERSION,
  HEADER,
  HEADER_SIZE_V16,
  HEADER_SIZE_V17,
  RESERVE_ALIGNMENT,
  RESERVE_ENTRY_SIZE,
  TOKEN_SIZE,
} from './fdt-format';
import type { MemReserve } from './tree';

/** Bytes [start, end) of a blob. */
interface Block {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Where the parts of a blob are; all checked to lie inside it and not to overlap. */
export interface FdtLayout {
  readonly structure: Block;
  readonly strings: Block;
  readonly memReserve: MemReserve[];
  readonly bootCpu: number;
}

/** An InputError about the byte at `offset` of the blob called `name`. */
export const blobError = (
  name: string,
  offset: number,
  expected: string,
  found: string,
): InputError => new InputError({ place: `${name}: byte ${hex(offset)}`, expected, found });

/** The whole size a blob states, after a look at what every blob begins with. */
export const readTotalSize = (view: DataView, name: string, limit: number): number => {
  if (view.byteLength < HEADER_SIZE_V16) {
    throw blobError(name, 0, `a header of ${HEADER_SIZE_V16} bytes`, `${view.byteLength} bytes`);
  }
  const magic = view.getUint32(HEADER.magic);
  if (magic !== FDT_MAGIC) {
    throw blobError(name, HEADER.magic, `the magic number ${hex(FDT_MAGIC)}`, hex(magic));
  }
  const total = view.getUint32(HEADER.totalSize);
  if (total < HEADER_SIZE_V16 || total > view.byteLength) {
    const expected = `a total size from ${HEADER_SIZE_V16} to the ${view.byteLength} bytes given`;
    throw blobError(name, HEADER.totalSize, expected, `${total}`);
  }
  if (total > limit) {
    throw blobError(name, HEADER.totalSize, `at most ${limit} bytes`, `${total}`);
  }
  return total;
};

/** Reads and checks the header and the memory reservation block; `view` ends at the total size. */
export const readLayout = (
  view: DataView,
  name: string,
  diagnostics: DiagnosticList,
): FdtLayout => {
  const version = readVersion(view, name);
  const headerSize = version >= 17 ? HEADER_SIZE_V17 : HEADER_SIZE_V16;
  if (view.byteLength < headerSize) {
    const expected = `a total size of at least ${headerSize}`;
    throw blobError(name, HEADER.totalSize, expected, `${view.byteLength}`);
  }

  const header: Block = { name: 'header', start: 0, end: headerSize };
  const reserve = readReserveBlock(view, name, diagnostics);
  const strings = sizedBlock(view, name, 'strings block', HEADER.stringsOffset, HEADER.stringsSize);
  const others = [header, reserve.block, strings];
  const structure =
    version >= 17
      ? sizedBlock(view, name, 'structure block', HEADER.structOffset, HEADER.structSize)
      : unsizedStructure(view, name, others);
  if (structure.start % TOKEN_SIZE !== 0) {
    const expected = `a structure block aligned to ${TOKEN_SIZE} bytes`;
    throw blobError(name, HEADER.structOffset, expected, `offset ${hex(structure.start)}`);
  }
  refuseOverlap(name, [...others, structure]);
  return {
    structure,
    strings,
    memReserve: reserve.entries,
    bootCpu: view.getUint32(HEADER.bootCpu),
  };
};

/** The version to read the blob as. Older ones, last used in 2005, had another structure block. */
const readVersion = (view: DataView, name: string): number => {
  const version = view.getUint32(HEADER.version);
  const lastComp = view.getUint32(HEADER.lastCompVersion);
  if (version < FDT_COMPATIBLE_VERSION) {
    const expected = `version ${FDT_COMPATIBLE_VERSION} or later`;
    throw blobError(name, HEADER.version, expected, `version ${version}`);
  }
  if (lastComp > FDT_VERSION || lastComp > version) {
    const most = Math.min(FDT_VERSION, version);
    const expected = `a blob readable as version ${most} (last compatible version at most ${most})`;
    throw blobError(name, HEADER.lastCompVersion, expected, `${lastComp}`);
  }
  return version;
};

const sizedBlock = (
  view: DataView,
  name: string,
  blockName: string,
  offsetAt: number,
  sizeAt: number,
): Block => {
  const start = view.getUint32(offsetAt);
  const end = start + view.getUint32(sizeAt);
  if (end > view.byteLength) {
    const expected = `the ${blockName} inside the ${hex(view.byteLength)} bytes of the blob`;
    throw blobError(name, offsetAt, expected, `${hex(start)} to ${hex(end)}`);
  }
  return { name: blockName, start, end };
};

/** Version 16 states no size: the block may reach to the next one, or to the end of the blob. */
const unsizedStructure = (view: DataView, name: string, others: readonly Block[]): Block => {
  const start = view.getUint32(HEADER.structOffset);
  if (start >= view.byteLength) {
    const expected = `the structure block inside the ${hex(view.byteLength)} bytes of the blob`;
    throw blobError(name, HEADER.structOffset, expected, hex(start));
  }
  const next = others.map(block => block.start).filter(other => other > start);
  return { name: 'structure block', start, end: Math.min(view.byteLength, ...next) };
};

const readReserveBlock = (
  view: DataView,
  name: string,
  diagnostics: DiagnosticList,
): { block: Block; entries: MemReserve[] } => {
  const start = view.getUint32(HEADER.reserveOffset);
  if (start % RESERVE_ALIGNMENT !== 0) {
    diagnostics.add('blob-layout', () => ({
      place: `${name}: byte ${hex(HEADER.reserveOffset)}`,
      expected: `a memory reservation block aligned to ${RESERVE_ALIGNMENT} bytes`,
      found: `offset ${hex(start)}`,
    }));
  }
  const entries: MemReserve[] = [];
  for (let at = start; ; at += RESERVE_ENTRY_SIZE) {
    if (at + RESERVE_ENTRY_SIZE > view.byteLength) {
      const expected = 'a memory reservation of size 0, which ends the block';
      throw blobError(name, Math.min(at, view.byteLength), expected, 'the end of the blob');
    }
    const address = view.getBigUint64(at);
    const size = view.getBigUint64(at + RESERVE_ENTRY_SIZE / 2);
    if (size === 0n) {
      const block = { name: 'memory reservation block', start, end: at + RESERVE_ENTRY_SIZE };
      return { block, entries };
    }
    entries.push({ address, size });
  }
};

const refuseOverlap = (name: string, blocks: readonly Block[]): void => {
  const inOrder = blocks.filter(({ start, end }) => end > start).sort((a, b) => a.start - b.start);
  for (const [i, block] of inOrder.entries()) {
    const next = inOrder[i + 1];
    if (next === undefined || next.start >= block.end) continue;
    const expected = `the ${next.name} after the ${block.name}, which ends at ${hex(block.end)}`;
    throw blobError(name, next.start, expected, 'an overlap');
  }
};
