import type { TableReader } from '../../walk/types';

/** A way to tables that knows where it was read last: what an event says of a walk that was aborted. */
export class NotedTables implements TableReader {
  last = 0;
  readonly #tables: TableReader;

  constructor(tables: TableReader) {
    this.#tables = tables;
  }

  get tableHigh(): number {
    return this.#tables.tableHigh;
  }

  readTable(address: number): number | null {
    this.last = address;
    return this.#tables.readTable(address);
  }

  readTable64(address: number): number | null {
    this.last = address;
    return this.#tables.readTable64(address);
  }
}
