import type { AccessKind, DmaRange } from '../../drivers/base/types/observer';
import { LINE } from './watched-memory';

/*
 * Who owns what, written down as plainly as possible: one record for each byte of each mapping, and
 * every rule a loop over bytes. Nothing of mm/ is used.
 */

interface OracleMapping {
  readonly range: DmaRange;
  readonly owner: Map<number, 'device' | 'cpu' | 'shared'>;
  readonly written: Set<number>;
  isLive: boolean;
}

interface OracleTransfer {
  readonly device: string;
  readonly read: Set<number>;
  readonly write: Set<number>;
}

const bytesOf = (start: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => start + i);

const lineOf = (byte: number): number => Math.floor(byte / LINE);

const isExposed = ({ range }: OracleMapping): boolean =>
  !range.coherent && range.direction !== 'to-device';

/** Rules that were broken, as `rule device byte`. */
export class OwnershipOracle {
  readonly broken = new Set<string>();
  readonly mappings: OracleMapping[] = [];
  readonly #ended: OracleMapping[] = [];
  readonly #open = new Map<number, OracleTransfer>();
  #acting: OracleTransfer | null = null;

  map(range: DmaRange): void {
    this.#callOn(range, 'map', range.device, range);
    const all = bytesOf(range.address, range.size);
    const owner = range.skipsSync ? 'shared' : 'device';
    const made: OracleMapping = {
      range,
      owner: new Map(all.map(byte => [byte, owner])),
      written: new Set(),
      isLive: true,
    };
    if (isExposed(made) && !range.skipsSync) this.#neighbours(made);
    this.mappings.push(made);
  }

  unmap(index: number): void {
    const mapping = this.mappings[index];
    if (mapping?.isLive !== true) return;
    this.#callOn(mapping.range, 'unmap', mapping.range.device, mapping.range);
    mapping.isLive = false;
    this.#ended.push(mapping);
  }

  sync(index: number, to: 'cpu' | 'device', offset: number, size: number): void {
    const mapping = this.mappings[index];
    if (mapping?.isLive !== true) return;
    const { range } = mapping;
    const address = range.address + offset;
    this.#callOn({ ...range, address, size, skipsSync: false }, 'sync', range.device, range);
    for (const other of this.#live()) {
      if (other.range.device !== range.device) continue;
      for (const byte of bytesOf(address, size)) {
        if (!other.owner.has(byte)) continue;
        other.owner.set(byte, to);
        other.written.delete(byte);
      }
    }
  }

  begin(device: string, transfer: number): void {
    this.#open.set(transfer, { device, read: new Set(), write: new Set() });
  }

  act(transfer: number): void {
    this.#acting = this.#open.get(transfer) ?? null;
  }

  end(transfer: number): void {
    if (this.#acting === this.#open.get(transfer)) this.#acting = null;
    this.#open.delete(transfer);
  }

  device(device: string, write: boolean, address: number, size: number): void {
    const bytes = bytesOf(address, size);
    const own = this.#live().filter(({ range }) => range.device === device);
    const reached = own.filter(({ owner }) => bytes.some(byte => owner.has(byte)));
    const isPrivate = reached.some(({ owner }) =>
      bytes.every(byte => owner.get(byte) !== 'shared'),
    );
    if (this.#acting?.device === device && isPrivate) {
      for (const byte of bytes) this.#acting[write ? 'write' : 'read'].add(byte);
    }
    for (const byte of bytes) {
      const covering = own.filter(({ owner }) => owner.has(byte));
      const permitting = covering.filter(
        ({ range }) =>
          range.direction === 'bidirectional' ||
          range.direction === (write ? 'from-device' : 'to-device'),
      );
      const given = permitting.filter(
        one => one.range.coherent || one.owner.get(byte) !== 'cpu' || !one.written.has(byte),
      );
      if (given.length > 0) continue;
      const had = this.#ended.some(
        ({ range, owner }) => range.device === device && owner.has(byte),
      );
      if (permitting.length > 0) this.#break('device-access-not-given', device, byte);
      else if (covering.length > 0) this.#break('device-access-against-direction', device, byte);
      else this.#break(`device-access-${had ? 'after-unmap' : 'unmapped'}`, device, byte);
    }
    if (!write) return;
    for (const { owner, written } of own) {
      for (const byte of bytes) {
        if (owner.get(byte) === 'cpu' && !written.has(byte)) owner.set(byte, 'device');
      }
    }
  }

  cpu(access: AccessKind, address: number, size: number, own: readonly number[] = []): void {
    const bytes = bytesOf(address, size);
    const spares = ['load', 'poll', 'clean'].includes(access);
    const excused = new Set(['load', 'poll', 'store'].includes(access) ? [] : own);
    for (const { device, read, write } of this.#open.values()) {
      for (const touched of spares ? [write] : [read, write]) {
        const hit = bytes.filter(byte => touched.has(byte) && !excused.has(byte));
        for (const byte of hit) this.#break('cpu-access-in-transfer', device, byte);
      }
    }
    if (access !== 'load' && access !== 'poll' && access !== 'store') return;
    for (const mapping of this.#live()) {
      if (!mapping.range.coherent) this.#cpuOn(mapping, access === 'store', bytes);
    }
  }

  #cpuOn(mapping: OracleMapping, isStore: boolean, bytes: readonly number[]): void {
    const { range, owner, written } = mapping;
    const within = bytes.filter(byte => owner.has(byte));
    const isHeld = within.some(byte => owner.get(byte) === 'device');
    if (isHeld && (isStore || range.direction !== 'to-device')) {
      for (const byte of within) this.#break('cpu-access-to-device-buffer', range.device, byte);
    }
    if (!isStore) return;
    for (const byte of within) if (owner.get(byte) === 'cpu') written.add(byte);
    const beside = bytes.filter(byte => !owner.has(byte));
    const lines = new Set(beside.map(lineOf));
    const shares = [...owner].some(([byte, who]) => who === 'device' && lines.has(lineOf(byte)));
    if (!isExposed(mapping) || !shares) return;
    for (const byte of beside) this.#break('shared-line', range.device, byte);
  }

  #live(): OracleMapping[] {
    return this.mappings.filter(({ isLive }) => isLive);
  }

  #neighbours(made: OracleMapping): void {
    const lines = new Set([...made.owner.keys()].map(lineOf));
    for (const other of this.#live()) {
      if (!isExposed(other) || [...other.owner.keys()].some(byte => made.owner.has(byte))) continue;
      const shared = [...other.owner.keys()].filter(byte => lines.has(lineOf(byte)));
      if (!shared.some(byte => other.owner.get(byte) === 'device')) continue;
      for (const byte of shared) this.#break('shared-line', other.range.device, byte);
    }
  }

  #callOn(
    { address, size, direction, skipsSync }: DmaRange,
    call: 'map' | 'unmap' | 'sync',
    caller: string,
    range: DmaRange,
  ): void {
    if (skipsSync && range.skipsSync && call !== 'sync') return;
    for (const { device, read, write } of this.#open.values()) {
      for (const byte of bytesOf(address, size)) {
        const takesAway = call === 'unmap' && device === caller;
        const isTold =
          write.has(byte) || (read.has(byte) && (direction !== 'to-device' || takesAway));
        if (isTold) this.#break('cpu-access-in-transfer', device, byte);
      }
    }
  }

  #break(rule: string, device: string, byte: number): void {
    this.broken.add(`${rule} ${device} ${byte}`);
  }
}
