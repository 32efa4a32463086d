import type { DmaAddr } from '../../drivers/base/types/address';
import { invariant } from '../../drivers/base/types/errors';

/** How a buffer gets addresses of a device, and loses them. */
export interface BufferMapper<Buffer> {
  /** Null: there is no room (-ENOSPC). */
  map(buffer: Buffer): DmaAddr | null;
  unmap(buffer: Buffer, address: DmaAddr): void;
  /** The device is to have it again, where it was; and it has had it. Caches are maintained here. */
  give(buffer: Buffer, address: DmaAddr): void;
  take(buffer: Buffer, address: DmaAddr): void;
}

interface Kept {
  readonly address: DmaAddr;
  users: number;
}

/**
 * Buffers that are mapped over and over stay mapped between two uses, until they are freed: the
 * policy of Qualcomm's ion, "delay unmapping from IOMMU". Addresses that nobody uses are then taken
 * all the same; with `evicts` the oldest of those make room where there is none. Whoever frees memory
 * says so before: else a device keeps its way to it, and the addresses are lost, which `leaked` finds.
 */
export class DelayedUnmap<Buffer> {
  readonly #mapper: BufferMapper<Buffer>;
  readonly #evicts: boolean;
  /** Those that were used last at the end. */
  readonly #kept = new Map<Buffer, Kept>();

  constructor(mapper: BufferMapper<Buffer>, options: { readonly evicts: boolean }) {
    this.#mapper = mapper;
    this.#evicts = options.evicts;
  }

  /** Buffers that are mapped, in use or not. */
  get mapped(): number {
    return this.#kept.size;
  }

  /** Buffers that are mapped and that nobody uses. */
  get idle(): number {
    return [...this.#kept.values()].filter(({ users }) => users === 0).length;
  }

  /** Where the device finds the buffer; null without room. */
  map(buffer: Buffer): DmaAddr | null {
    const kept = this.#kept.get(buffer) ?? this.#make(buffer);
    if (kept === null) return null;
    if (kept.users === 0) {
      this.#kept.delete(buffer);
      this.#kept.set(buffer, kept);
      this.#mapper.give(buffer, kept.address);
    }
    kept.users++;
    return kept.address;
  }

  /** The device has done with it, and could reach it still. */
  unmap(buffer: Buffer): void {
    const kept = this.#kept.get(buffer);
    invariant(kept !== undefined && kept.users > 0, 'an unmap of a buffer that is not in use');
    kept.users--;
    if (kept.users === 0) this.#mapper.take(buffer, kept.address);
  }

  /** The memory is about to be somebody else's: no device reaches it from here on. */
  free(buffer: Buffer): void {
    const kept = this.#kept.get(buffer);
    if (kept === undefined) return;
    invariant(kept.users === 0, 'a free of a buffer that is in use');
    this.#end(buffer, kept);
  }

  /** Buffers that are mapped and are no more: memory that a device still reaches. */
  leaked(isAlive: (buffer: Buffer) => boolean): readonly Buffer[] {
    return [...this.#kept.keys()].filter(buffer => !isAlive(buffer));
  }

  #make(buffer: Buffer): Kept | null {
    for (;;) {
      const address = this.#mapper.map(buffer);
      if (address !== null) {
        const kept = { address, users: 0 };
        this.#kept.set(buffer, kept);
        return kept;
      }
      const [oldest] = [...this.#kept].filter(([, { users }]) => users === 0);
      if (!this.#evicts || oldest === undefined) return null;
      this.#end(...oldest);
    }
  }

  #end(buffer: Buffer, { address }: Kept): void {
    this.#kept.delete(buffer);
    this.#mapper.unmap(buffer, address);
  }
}
