import type { Page } from '../drivers/base/kernel/dma-mapping';
import type { CpuAddr, PhysAddr } from '../drivers/base/types/address';
import { offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { physToPage } from './page-alloc';
import { memcpy, memset } from './string';
import type { Accesses } from './string';

/** Temporary mappings of pages (kmap_local_page): the linear address of a page that has one. */
export interface PageMapper {
  with<Value>(page: Page, body: (address: CpuAddr) => Value): Value;
}

/**
 * Memory by its physical address, reached as the kernel reaches a page: through the linear map, or a
 * temporary mapping where that has none. Every byte passes through the CPU and its caches.
 */
export class PhysMemory {
  readonly #io: Accesses;
  readonly #kmap: PageMapper;

  /** `io` without barriers. */
  constructor(io: Accesses, kmap: PageMapper) {
    this.#io = io;
    this.#kmap = kmap;
  }

  /** Copies `size` bytes; the two ranges do not overlap. */
  copy(to: PhysAddr, from: PhysAddr, size: number): void {
    let done = 0;
    while (done < size) {
      const target = offsetBy(to, done);
      const source = offsetBy(from, done);
      const length = Math.min(size - done, leftOf(target), leftOf(source));
      this.#at(target, at => {
        this.#at(source, other => {
          memcpy(this.#io, at, other, length);
        });
      });
      done += length;
    }
  }

  /** Stores `value`, a byte, in `size` bytes. */
  fill(to: PhysAddr, value: number, size: number): void {
    let done = 0;
    while (done < size) {
      const target = offsetBy(to, done);
      const length = Math.min(size - done, leftOf(target));
      this.#at(target, at => {
        memset(this.#io, at, value, length);
      });
      done += length;
    }
  }

  #at(address: PhysAddr, body: (at: CpuAddr) => void): void {
    this.#kmap.with(physToPage(address), page => {
      body(offsetBy(page, address % PAGE_SIZE));
    });
  }
}

/** Bytes from here to the end of the page. */
const leftOf = (address: PhysAddr): number => PAGE_SIZE - (address % PAGE_SIZE);
