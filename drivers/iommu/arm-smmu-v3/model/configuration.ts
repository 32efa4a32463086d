import type { GuestErrorSink } from '../../../base/hw/device';
import { alignDown } from '../../../base/types/bits';
import type { StateValue } from '../../../base/types/state';
import type { Kept, KeptCondition, KeptEntry } from '../../hw/kept';
import type { TableReader } from '../../walk/types';
import { ABSENT_IN_CD, ABSENT_IN_STE } from '../regs/absent';
import { EventId } from '../regs/events';
import { CD, L1_STREAM, STE, SteConfig } from '../regs/tables';
import type { Words } from '../regs/words';
import { decodeCd, decodeSte, mayStall, steConfigOf, streamConfigOf } from './decode';
import type { Decoded, StreamConfig } from './decode';
import { tellAbsent } from './tell-absent';

/** Contexts of what is kept: entries of the first level, STEs and CDs, each by StreamID. */
export const CONFIGURATION = { l1: 0, ste: 1, cd: 2 } as const;

/** Where the stream table is: what the registers say of it. */
export interface StreamTable {
  readonly base: number;
  readonly log2Size: number;
  /** Bits of a StreamID that index the second level; null: there is one level. */
  readonly split: number | null;
}

/** Why a stream has no configuration. */
export interface ConfigFault {
  readonly id: EventId;
  /** Of the structure that could not be fetched; 0 for other faults. */
  readonly fetch: number;
}

/** Told of what was kept and memory has no more; null: memory has nothing valid. */
export type StaleConfigSink = (older: KeptEntry, now: KeptEntry | null) => void;

/** What one stream was found to have the last time: not decoded again while it is the same. */
export class FoundConfig {
  ste: KeptEntry | null = null;
  cd: KeptEntry | null = null;
  config: StreamConfig | null = null;
}

/** How a structure is looked for: by whose eyes, and who hears what was kept of it. */
interface Look {
  readonly tables: TableReader;
  readonly onStale: StaleConfigSink | null;
}

/** Words of a structure that the model goes by; the others are of what it has not. */
const WORDS = 8;

/** Fetches STEs and CDs, and keeps them. */
export class Configurations {
  readonly #tables: TableReader;
  readonly #unseen: TableReader;
  readonly #kept: Kept;
  readonly #oas: number;
  readonly #onGuestError: GuestErrorSink;
  readonly #words: Words = new Uint32Array(WORDS);
  /** Of the last `find` that failed. */
  fault: ConfigFault = { id: EventId.BadSte, fetch: 0 };

  /** `unseen`: for what is fetched unasked. `oas`: bits of output addresses. */
  constructor(
    { tables, unseen }: { readonly tables: TableReader; readonly unseen: TableReader },
    kept: Kept,
    oas: number,
    onGuestError: GuestErrorSink,
  ) {
    this.#tables = tables;
    this.#unseen = unseen;
    this.#kept = kept;
    this.#oas = oas;
    this.#onGuestError = onGuestError;
  }

  /** What a stream's transactions meet; null: `fault` says why nothing. */
  find(
    table: StreamTable,
    sid: number,
    found: FoundConfig,
    onStale: StaleConfigSink,
  ): StreamConfig | null {
    const keptSte = this.#kept.find(CONFIGURATION.ste, sid);
    const ste = keptSte ?? this.#fetchSte(table, sid, { tables: this.#tables, onStale });
    if (ste === null) return null;
    let cd: KeptEntry | null = null;
    if (steConfigOf(ste) === SteConfig.Stage1) {
      const keptCd = this.#kept.find(CONFIGURATION.cd, sid);
      cd = keptCd ?? this.#fetchCd(ste, sid, { tables: this.#tables, onStale });
      if (cd === null) return null;
    }
    if (found.config === null || ste !== found.ste || cd !== found.cd) {
      found.config = streamConfigOf(ste, cd, this.#oas);
      found.ste = ste;
      found.cd = cd;
    }
    return found.config;
  }

  /** CMD_PREFETCH_CONFIG: what a stream has is fetched; nothing is told of what is wrong with it. */
  prefetch(table: StreamTable, sid: number): void {
    this.#look(table, sid, { tables: this.#tables, onStale: null });
  }

  /**
   * What memory says of a stream, as the hardware of a checked machine may look unasked: no event, and
   * nothing is told.
   */
  peek(table: StreamTable, sid: number): StreamConfig | null {
    return this.#look(table, sid, { tables: this.#unseen, onStale: null });
  }

  #look(table: StreamTable, sid: number, look: Look): StreamConfig | null {
    const ste = this.#fetchSte(table, sid, look);
    if (ste === null) return null;
    const hasCd = steConfigOf(ste) === SteConfig.Stage1;
    const cd = hasCd ? this.#fetchCd(ste, sid, look) : null;
    return hasCd && cd === null ? null : streamConfigOf(ste, cd, this.#oas);
  }

  /**
   * Forgets what satisfies the condition. On a checked machine what is still in memory may be fetched
   * again at once.
   */
  invalidate(table: StreamTable, condition: KeptCondition | null): void {
    for (const { start, size } of this.#kept.invalidate(condition)) {
      if (size === 1) this.peek(table, start);
    }
  }

  /** Forgets everything, as on reset. */
  clear(): void {
    this.#kept.invalidate(null);
  }

  saveState(): StateValue {
    return this.#kept.saveState();
  }

  restoreState(state: StateValue): void {
    this.#kept.restoreState(state);
  }

  #fetchSte(table: StreamTable, sid: number, look: Look): KeptEntry | null {
    const at = this.#steAddress(table, sid, look);
    const decoded = at === null ? null : this.#decodedSte(at, look);
    return this.#keep(CONFIGURATION.ste, sid, decoded, look);
  }

  #decodedSte(at: number, { tables }: Look): Decoded | null {
    if (!this.#read(tables, at, EventId.SteFetch)) return null;
    this.fault = { id: EventId.BadSte, fetch: 0 };
    if (STE.V.of(this.#words) === 0) return null;
    tellAbsent(ABSENT_IN_STE, this.#words, STE.CONFIG.of(this.#words), this.#onGuestError);
    return decodeSte(this.#words);
  }

  #fetchCd(ste: KeptEntry, sid: number, look: Look): KeptEntry | null {
    return this.#keep(CONFIGURATION.cd, sid, this.#decodedCd(ste, look), look);
  }

  #decodedCd(ste: KeptEntry, { tables }: Look): Decoded | null {
    if (!this.#read(tables, ste.leads, EventId.CdFetch)) return null;
    this.fault = { id: EventId.BadCd, fetch: 0 };
    if (CD.V.of(this.#words) === 0) return null;
    tellAbsent(ABSENT_IN_CD, this.#words, SteConfig.Stage1, this.#onGuestError);
    return decodeCd(this.#words, mayStall(ste));
  }

  /** Where the STE of a stream is; null where none can be. */
  #steAddress(table: StreamTable, sid: number, look: Look): number | null {
    const { base, log2Size, split } = table;
    this.fault = { id: EventId.BadStreamId, fetch: 0 };
    if (sid >= 2 ** log2Size) return null;
    if (split === null) return base + STE.SIZE * sid;
    const l1 = this.#kept.find(CONFIGURATION.l1, sid) ?? this.#fetchL1(base, split, sid, look);
    const index = sid % 2 ** split;
    return l1 === null || index >= 2 ** (l1.attributes - 1) ? null : l1.leads + STE.SIZE * index;
  }

  /** The entry of the first level; its attributes are SPAN. */
  #fetchL1(base: number, split: number, sid: number, look: Look): KeptEntry | null {
    const index = Math.floor(sid / 2 ** split);
    const at = base + L1_STREAM.SIZE * index;
    const low = look.tables.readTable64(at);
    if (low === null) {
      this.fault = { id: EventId.SteFetch, fetch: at };
      return null;
    }
    this.#words[0] = low;
    this.#words[1] = look.tables.tableHigh;
    const span = L1_STREAM.SPAN.of(this.#words);
    const isValid = span >= 1 && span <= split + 1;
    const leads = L1_STREAM.L2PTR.of(this.#words);
    const decoded = isValid ? { leads, attributes: span } : null;
    return this.#keep(CONFIGURATION.l1, sid, decoded, look, 2 ** split);
  }

  #keep(
    context: number,
    sid: number,
    decoded: Decoded | null,
    { onStale }: Look,
    size = 1,
  ): KeptEntry | null {
    const start = sid - (sid % size);
    const now = decoded === null ? null : { context, start, size, ...decoded };
    if (onStale !== null) {
      for (const older of this.#kept.others(context, start, now)) onStale(older, now);
    }
    if (now !== null) this.#kept.keep(now);
    return now;
  }

  /** The first words of a structure; false and a fault where nobody answers. */
  #read(tables: TableReader, at: number, id: EventId): boolean {
    for (let i = 0; i < WORDS; i += 2) {
      const low = tables.readTable64(at + 4 * i);
      if (low === null) {
        this.fault = { id, fetch: at };
        return false;
      }
      this.#words[i] = low;
      this.#words[i + 1] = tables.tableHigh;
    }
    return true;
  }
}

/** The stream table by its registers. It is aligned to the size of its first level. */
export const streamTableOf = (
  address: number,
  log2Size: number,
  split: number | null,
): StreamTable => {
  const size =
    split === null ? STE.SIZE * 2 ** log2Size : L1_STREAM.SIZE * 2 ** Math.max(0, log2Size - split);
  return { base: alignDown(address, Math.max(size, STE.SIZE)), log2Size, split };
};
