import type { IommuAnswer, IommuHook } from '../../../base/hw/dma-port';
import type {
  IommuAccess,
  RefusalCause,
  RefusedAccess,
  StaleEntrySink,
} from '../../../base/hw/iommu';
import { PAGE_SIZE, alignDown } from '../../../base/types/bits';
import { ReusedAnswer } from '../../hw/answer';
import type { KeptEntry } from '../../hw/kept';
import type { Lookup, StaleSink } from '../../hw/lookup';
import { staleSink } from '../../hw/stale';
import type { LpaeWalker } from '../../walk/lpae';
import { WalkFault, permits } from '../../walk/types';
import { EVENT, EventClass, EventId } from '../regs/events';
import { SteConfig } from '../regs/tables';
import type { Words } from '../regs/words';
import { CONFIGURATION, FoundConfig } from './configuration';
import type { Configurations, StreamTable } from './configuration';
import { steConfigOf } from './decode';
import type { StreamConfig } from './decode';
import type { EventRecorder } from './event-queue';
import type { Stalls } from './stalls';

/** Longer than any transaction: what holds for a stream, whatever the address. */
const ANY_LENGTH = 2 ** 52;

/** What the registers of an SMMU say, as far as each transaction needs it. */
export interface SmmuState {
  /** SMMUEN; else GBPA holds. */
  isTranslating: boolean;
  /** GBPA.ABORT. */
  aborts: boolean;
  table: StreamTable;
  /** CR2.RECINVSID. */
  recordsBadStreams: boolean;
  /** Told of what might have been used instead, by the stream whose transaction is under way. */
  onStale: StaleSink;
}

/** Parts of an SMMU that its streams share. */
export interface StreamParts {
  readonly name: string;
  readonly state: SmmuState;
  readonly oas: number;
  readonly mayStall: boolean;
  readonly configurations: Configurations;
  readonly lookup: Lookup;
  readonly walker: LpaeWalker;
  /** Where the walker read last. */
  readonly lastRead: () => number;
  readonly recorder: EventRecorder;
  readonly stalls: Stalls;
  /** Told which stream has a context; null where nobody asks. */
  readonly onUse: ((context: number, sid: number) => void) | null;
  readonly onStale: StaleEntrySink;
  readonly onRefused: (refused: RefusedAccess) => void;
}

const EVENT_OF_WALK: Readonly<Record<WalkFault, EventId>> = {
  [WalkFault.None]: EventId.Permission,
  [WalkFault.Translation]: EventId.Translation,
  [WalkFault.AccessFlag]: EventId.AccessFlag,
  [WalkFault.AddressSize]: EventId.AddressSize,
  [WalkFault.External]: EventId.WalkExternalAbort,
};

const CAUSES: Readonly<Partial<Record<EventId, RefusalCause>>> = {
  [EventId.WalkExternalAbort]: 'walk',
  [EventId.Translation]: 'translation',
  [EventId.AddressSize]: 'address-size',
  [EventId.AccessFlag]: 'access-flag',
  [EventId.Permission]: 'permission',
  [EventId.BadStreamId]: 'abort',
};

/** What the transactions of a master with one StreamID meet. */
export class StreamHook implements IommuHook {
  readonly mayStall: boolean;
  readonly #parts: StreamParts;
  readonly #master: string;
  readonly #sid: number;
  readonly #found = new FoundConfig();
  readonly #answer = new ReusedAnswer();
  readonly #onStale: StaleSink;
  /** Of the transaction under way. */
  address = 0;
  #write = false;

  constructor(parts: StreamParts, sid: number, master: string) {
    this.#parts = parts;
    this.#sid = sid;
    this.#master = master;
    this.mayStall = parts.mayStall;
    this.#onStale = staleSink(this, (what, older, newer) =>
      parts.onStale({ ...this.access(), what, older, newer }),
    );
  }

  translate(address: number, write: boolean): IommuAnswer | null {
    const { configurations, lookup, onUse, state, walker } = this.#parts;
    this.address = address;
    this.#write = write;
    if (!state.isTranslating) return state.aborts ? this.#refuse('abort', ANY_LENGTH) : null;
    const config = configurations.find(state.table, this.#sid, this.#found, this.#onStaleConfig);
    if (config === null) return this.#configFault();
    if (config.meets === 'abort') return this.#refuse('abort', ANY_LENGTH);
    if (config.meets === 'bypass') return this.#bypass(config);
    if (config.isDisabled) return this.#walkFault(config, WalkFault.Translation);
    onUse?.(config.context, this.#sid);
    state.onStale = this.#onStale;
    const fault = lookup.find(walker, config.regime, config.context, address);
    if (fault !== WalkFault.None) return this.#walkFault(config, fault);
    const { attributes, leads, size, start } = lookup.entry;
    if (!permits(attributes, write, config.privileged)) {
      return this.#walkFault(config, WalkFault.None);
    }
    return this.#answer.passes(leads + (address - start), size - (address - start));
  }

  /** The transaction under way, as it is told of. */
  access(): IommuAccess {
    const { name } = this.#parts;
    return {
      iommu: name,
      master: this.#master,
      stream: this.#sid,
      address: this.address,
      write: this.#write,
    };
  }

  #bypass(config: StreamConfig): IommuAnswer | null {
    if (this.address < 2 ** this.#parts.oas) return null;
    return this.#walkFault({ ...config, records: true }, WalkFault.AddressSize);
  }

  /** The stream has no configuration: recorded, never stalled. */
  #configFault(): IommuAnswer {
    const { configurations, recorder, state } = this.#parts;
    const { id, fetch } = configurations.fault;
    if (id !== EventId.BadStreamId || state.recordsBadStreams) {
      const record = this.#record(id);
      EVENT.FETCH.put(record, alignDown(fetch, 8));
      recorder.record(record);
    }
    return this.#refuse(CAUSES[id] ?? 'configuration', ANY_LENGTH);
  }

  /** A fault of the table, or, without one, of permissions: as CD and STE say, it stalls or ends. */
  #walkFault(config: StreamConfig, fault: WalkFault): IommuAnswer {
    const { recorder, stalls } = this.#parts;
    const id = EVENT_OF_WALK[fault];
    const record = this.#faultRecord(config, id);
    const length = PAGE_SIZE - (this.address % PAGE_SIZE);
    if (config.stalls) {
      const access = this.access();
      const stall = stalls.begin(this.#sid, record, () => {
        this.#parts.onRefused({ ...access, cause: 'stalled-terminated' });
      });
      return this.#answer.waits(stall, length);
    }
    if (config.records) recorder.record(record);
    return this.#refuse(CAUSES[id] ?? 'translation', length);
  }

  #faultRecord({ privileged, stage }: StreamConfig, id: EventId): Words {
    const record = this.#record(id);
    const isWalk = id === EventId.WalkExternalAbort;
    EVENT.PNU.put(record, privileged ? 1 : 0);
    EVENT.RNW.put(record, this.#write ? 0 : 1);
    EVENT.S2.put(record, stage === 2 ? 1 : 0);
    EVENT.CLASS.put(record, isWalk ? EventClass.TranslationTable : EventClass.Input);
    EVENT.INPUT.put(record, this.address);
    if (isWalk) EVENT.FETCH.put(record, this.#parts.lastRead());
    else if (stage === 2) EVENT.IPA.put(record, alignDown(this.address, PAGE_SIZE));
    return record;
  }

  #record(id: EventId): Words {
    const record = new Uint32Array(EVENT.WORDS);
    EVENT.ID.put(record, id);
    EVENT.SID.put(record, this.#sid);
    return record;
  }

  #refuse(cause: RefusalCause, length: number): IommuAnswer {
    this.#parts.onRefused({ ...this.access(), cause });
    return this.#answer.refuses(length);
  }

  /** In bypass it is known where the transaction goes; behind tables, it is not. */
  readonly #onStaleConfig = (older: KeptEntry, now: KeptEntry | null): void => {
    this.#parts.onStale({
      ...this.access(),
      what: 'configuration',
      older: this.#leadsOf(older),
      newer: now === null ? null : this.#leadsOf(now),
    });
  };

  #leadsOf(entry: KeptEntry): number | null {
    const isBypass = entry.context === CONFIGURATION.ste && steConfigOf(entry) === SteConfig.Bypass;
    return isBypass ? this.address : null;
  }
}
