import { alignDown, alignUp } from '../drivers/base/types/bits';
import type { ByteRange } from '../drivers/base/types/finding';
import type { RuleId } from '../drivers/base/types/rules';
import { Hold } from './holds';
import type { Mapping, MappingKind, Mappings } from './mappings';
import { overlaps } from './page-index';

/** An access of a device: which of its live mappings have a byte of it. */
export interface DeviceAccess {
  readonly device: string;
  readonly live: readonly Mapping[];
  readonly write: boolean;
  readonly address: number;
  readonly size: number;
}

/** What is wrong with some bytes of an access, and which call was due after which place. */
export interface Misdeed {
  readonly rule: RuleId;
  readonly mapping: Mapping | null;
  readonly bytes: ByteRange;
  readonly missing: { readonly call: string; readonly after: string | null } | null;
}

/** A byte of an access; what is alike for neighbours is one misdeed. */
type Judgement = Omit<Misdeed, 'bytes'> | null;

export const isDevices = ({ owner }: Hold): boolean => owner === 'device';
export const isShared = ({ owner }: Hold): boolean => owner === 'shared';

/** The direction permits it. */
const permits = ({ direction }: Mapping, write: boolean): boolean =>
  direction === 'bidirectional' || direction === (write ? 'from-device' : 'to-device');

/**
 * The CPU owns the byte and has written it: the device has no business there. Never so of a mapping
 * for a coherent device, where nobody looks at what the CPU writes.
 */
const isCpus = ({ owner, isWritten }: Hold): boolean => owner === 'cpu' && isWritten;

/** All of the access lies in a mapping that permits it: the usual case, quickly. */
export const whollyHeld = (
  mapping: Mapping,
  write: boolean,
  address: number,
  size: number,
): boolean =>
  permits(mapping, write) &&
  isWithin(mapping.reached, address, size) &&
  (mapping.isCommon || !holdsSome(mapping, address, size, hold => hold.owner === 'cpu'));

const isWithin = (range: ByteRange, address: number, size: number): boolean =>
  address >= range.start && address + size <= range.start + range.size;

/** Whether a byte that the device touches there is held in such a way. */
export const holdsSome = (
  mapping: Mapping,
  address: number,
  size: number,
  is: (hold: Hold) => boolean,
): boolean => {
  const start = mapping.memoryAt(address);
  return mapping.holds.some(start, start + size, is);
};

/** What is wrong with an access of a device, by runs of bytes. */
export const judgeDevice = (mappings: Mappings, access: DeviceAccess): readonly Misdeed[] => {
  const misdeeds: Misdeed[] = [];
  const end = access.address + access.size;
  let start = access.address;
  let judged = judgeByte(mappings, access, start);
  for (let byte = start + 1; byte <= end; byte++) {
    const next = byte < end ? judgeByte(mappings, access, byte) : undefined;
    if (next !== undefined && alike(next, judged)) continue;
    if (judged !== null) misdeeds.push({ ...judged, bytes: { start, size: byte - start } });
    start = byte;
    judged = next ?? null;
  }
  return misdeeds;
};

const alike = (one: Judgement, other: Judgement): boolean =>
  one === other ||
  (one?.rule === other?.rule &&
    one?.mapping === other?.mapping &&
    one?.missing?.after === other?.missing?.after);

/** One mapping that permits it is enough; else the nearest to it says what is wrong. */
const judgeByte = (mappings: Mappings, access: DeviceAccess, byte: number): Judgement => {
  const { device, live, write } = access;
  const covering = live.filter(({ reached }) => isWithin(reached, byte, 1));
  const permitting = covering.filter(mapping => permits(mapping, write));
  const given = permitting.find(one => !isCpus(one.holds.at(one.memoryAt(byte))));
  if (given !== undefined) return null;
  const [kept] = permitting;
  if (kept !== undefined) {
    const after = kept.holds.at(kept.memoryAt(byte)).since.at;
    const missing = { call: syncFor('Device', kept), after };
    return { rule: 'device-access-not-given', mapping: kept, missing };
  }
  const [against] = covering;
  if (against !== undefined) {
    return { rule: 'device-access-against-direction', mapping: against, missing: null };
  }
  const last = mappings.lastEnded(byte, device);
  if (last?.ended?.by === 'unmap') {
    const { map } = CALLS[last.kind];
    const missing = map === null ? null : { call: map, after: last.ended.site.at };
    return { rule: 'device-access-after-unmap', mapping: last, missing };
  }
  if (last?.ended?.by === 'free') {
    const missing = { call: CALLS[last.kind].unmap, after: last.mappedAt.at };
    return { rule: 'device-access-unmapped', mapping: last, missing };
  }
  const missing = { call: 'dmaMapSingle', after: mappings.allocationOf(byte)?.site.at ?? null };
  return { rule: 'device-access-unmapped', mapping: null, missing };
};

/** Which call would have given the memory again, and which was to end it before it was freed. */
const CALLS: Readonly<
  Record<MappingKind, { readonly map: string | null; readonly unmap: string }>
> = {
  single: { map: 'dmaMapSingle', unmap: 'dmaUnmapSingle' },
  linked: { map: 'dmaIovaLink', unmap: 'dmaIovaUnlink' },
  'scatter-gather': { map: 'dmaMapSg', unmap: 'dmaUnmapSg' },
  coherent: { map: null, unmap: 'dmaFreeCoherent' },
  noncoherent: { map: null, unmap: 'dmaFreePages' },
  'pool block': { map: null, unmap: 'dmaPoolFree' },
};

/** The call that hands a mapping over. */
export const syncFor = (to: 'Cpu' | 'Device', { kind }: Mapping): string =>
  `dmaSync${kind === 'scatter-gather' ? 'Sg' : 'Single'}For${to}`;

/** Live mappings that a device is writing beside this one, and their bytes in a line of both. */
export const neighboursOf = (
  mappings: Mappings,
  mapping: Mapping,
): readonly { readonly neighbour: Mapping; readonly bytes: ByteRange }[] => {
  const { lines } = mapping;
  return mappings.sharingLines(lines.start, lines.size).flatMap(neighbour => {
    if (!neighbour.isExposed || overlaps(neighbour, mapping.start, mapping.size)) return [];
    // The pieces of one list are handed over together.
    if (neighbour.mappedAt === mapping.mappedAt) return [];
    const bytes = inLinesOf(mapping, neighbour);
    if (bytes === null) return [];
    const isHeld = neighbour.holds.some(bytes.start, bytes.start + bytes.size, isDevices);
    return isHeld ? [{ neighbour, bytes }] : [];
  });
};

const inLinesOf = ({ lines }: Mapping, { start, end }: Mapping): ByteRange | null => {
  const from = Math.max(start, lines.start);
  const to = Math.min(end, lines.start + lines.size);
  return from < to ? { start: from, size: to - from } : null;
};

/**
 * What of a CPU's store lies beside a mapping, before or behind it, in a line that has bytes of it
 * which are the device's.
 */
export const besideOf = (
  { start, end, holds }: Mapping,
  address: number,
  size: number,
  lineBytes: number,
): readonly ByteRange[] =>
  [
    { start: address, end: Math.min(address + size, start) },
    { start: Math.max(address, end), end: address + size },
  ].flatMap(beside => {
    if (beside.end <= beside.start) return [];
    const first = alignDown(beside.start, lineBytes);
    const isShared = holds.some(first, alignUp(beside.end, lineBytes), isDevices);
    return isShared ? [{ start: beside.start, size: beside.end - beside.start }] : [];
  });

/**
 * What the CPU has only read of a buffer the device may write again, without a sync: from then on
 * it is the device's as after one.
 */
export const takeBack = (live: readonly Mapping[], address: number, size: number): void => {
  for (const mapping of live) {
    const start = mapping.memoryAt(address);
    mapping.holds.update(start, start + size, hold =>
      hold.owner === 'cpu' && !hold.isWritten ? new Hold('device', hold.since) : hold,
    );
  }
};
