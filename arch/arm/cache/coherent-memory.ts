import { u8 } from '../../../drivers/base/types/arrays';
import { DmaMemory } from '../../../drivers/base/hw/dma-memory';
import type { LineObserver } from '../../../drivers/base/hw/dma-memory';
import type { IoBus } from '../../../drivers/base/hw/io-bus';
import type { Ram } from '../../../drivers/base/hw/ram';
import type { Domain } from './domain';

/** Memory as a master on a snooping port reaches it (ACP, ACE-Lite): by words, with the caches. */
export class CoherentMemory extends DmaMemory {
  readonly #domain: Domain;

  constructor(ram: Ram, io: IoBus, observe: LineObserver, piece: number, domain: Domain) {
    super(ram, io, observe, piece);
    this.#domain = domain;
  }

  protected readRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    let value = this.#domain.coherentRead(word);
    for (let i = 0; i < length; i++) {
      const byte = offset + i;
      if (byte > offset && byte % 4 === 0) value = this.#domain.coherentRead(word + byte / 4);
      into[at + i] = value >>> ((byte % 4) * 8);
    }
  }

  protected override peekRam(word: number): number {
    return this.#domain.coherentRead(word);
  }

  protected writeRam(
    word: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
  ): void {
    for (let i = 0; i < length;) {
      const first = (offset + i) % 4;
      const count = Math.min(4 - first, length - i);
      let value = 0;
      let mask = 0;
      for (let k = 0; k < count; k++) {
        value |= u8(from, at + i + k) << ((first + k) * 8);
        mask |= 0xff << ((first + k) * 8);
      }
      this.#domain.coherentWrite(word + (offset + i - first) / 4, value, mask);
      i += count;
    }
  }
}
