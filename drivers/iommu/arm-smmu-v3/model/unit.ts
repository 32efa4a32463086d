import type { GuestErrorSink } from '../../../base/hw/device';
import type { DmaMemory } from '../../../base/hw/dma-memory';
import type { RefusedAccess, StaleEntrySink, TableUse } from '../../../base/hw/iommu';
import { StateReader } from '../../../base/types/state';
import type { Stateful, StateValue } from '../../../base/types/state';
import { EveryKept, LruKept } from '../../hw/kept';
import type { Kept } from '../../hw/kept';
import { Lookup } from '../../hw/lookup';
import { LpaeWalker } from '../../walk/lpae';
import type { TableWalk } from '../../walk/types';
import { Configurations, streamTableOf } from './configuration';
import type { StreamConfig } from './decode';
import type { EventRecorder } from './event-queue';
import type { Features } from './features';
import { Invalidations } from './invalidations';
import { NotedTables } from './noted-tables';
import { Stalls } from './stalls';
import { StreamHook } from './stream';
import type { SmmuState, StreamParts } from './stream';

/** Steps of a walk of one level, and structures, that are kept, on one machine in particular. */
const OTHER_ENTRIES = 8;
const LEVELS = 4;

export interface UnitParts {
  readonly name: string;
  readonly features: Features;
  readonly memory: DmaMemory;
  readonly isChecked: boolean;
  /** Translations that it keeps; 0: it keeps nothing at all. */
  readonly tlbEntries: number;
  readonly recorder: EventRecorder;
  readonly onGuestError: GuestErrorSink;
  readonly onStale: StaleEntrySink;
  readonly onRefused: (refused: RefusedAccess) => void;
}

const unused = (): boolean => false;

/** What translates: configuration, walks, what is kept of both, and transactions that wait. */
export class TranslationUnit implements Stateful {
  readonly state: SmmuState = {
    isTranslating: false,
    aborts: false,
    table: streamTableOf(0, 0, null),
    recordsBadStreams: false,
    onStale: unused,
  };
  readonly stalls: Stalls;
  readonly configurations: Configurations;
  readonly invalidations: Invalidations;
  readonly #lookup: Lookup;
  readonly #unseen: LpaeWalker;
  readonly #parts: StreamParts;
  /** By context, the stream whose transactions had it last: on a checked machine. */
  readonly #streamOf = new Map<number, number>();

  constructor(parts: UnitParts) {
    const { memory, features, isChecked, tlbEntries, recorder } = parts;
    const kept = (capacity: number): Kept =>
      isChecked ? new EveryKept() : new LruKept(tlbEntries === 0 ? 0 : capacity);
    const tables = new NotedTables(memory);
    this.#unseen = new LpaeWalker(memory.unseen);
    this.stalls = new Stalls(recorder, features.mostStalled);
    this.configurations = new Configurations(
      { tables: memory, unseen: memory.unseen },
      kept(OTHER_ENTRIES),
      features.oas,
      text => {
        parts.onGuestError(`${parts.name}: ${text}`);
      },
    );
    this.#lookup = this.#makeLookup(kept, tlbEntries);
    this.invalidations = new Invalidations(({ of, condition, isLeaf }) => {
      if (of === 'translations') this.#lookup.invalidate(condition, isLeaf);
      else this.configurations.invalidate(this.state.table, condition);
    });
    this.#parts = {
      name: parts.name,
      state: this.state,
      oas: features.oas,
      mayStall: features.stalls,
      configurations: this.configurations,
      lookup: this.#lookup,
      walker: new LpaeWalker(tables),
      lastRead: () => tables.last,
      recorder,
      stalls: this.stalls,
      onUse: isChecked ? (context, sid): unknown => this.#streamOf.set(context, sid) : null,
      onStale: parts.onStale,
      onRefused: parts.onRefused,
    };
  }

  stream(sid: number, master: string): StreamHook {
    return new StreamHook(this.#parts, sid, master);
  }

  /** As IommuModel.walksInto; of the streams that have had transactions. */
  walksInto(start: number, size: number): TableUse | null {
    const isRoot = [...this.#streamOf].some(([context, sid]) => {
      const root = this.#contextOf(context, sid)?.regime.root ?? -1;
      return root >= start && root < start + size;
    });
    if (isRoot) return 'root';
    return this.#lookup.stepInto(start, size) === null ? null : 'step';
  }

  /** CMD_PREFETCH_CONFIG. */
  prefetch(sid: number): void {
    if (this.state.isTranslating) this.configurations.prefetch(this.state.table, sid);
  }

  /** Forgets all that is kept and commanded; what waits is terminated. */
  clear(): void {
    this.stalls.terminate(null);
    this.invalidations.clear();
    this.configurations.clear();
    this.#lookup.clear();
    this.#streamOf.clear();
  }

  saveState(): StateValue {
    return {
      lookup: this.#lookup.saveState(),
      configurations: this.configurations.saveState(),
      invalidations: this.invalidations.saveState(),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'SMMUv3');
    this.#lookup.restoreState(reader.value('lookup'));
    this.configurations.restoreState(reader.value('configurations'));
    this.invalidations.restoreState(reader.value('invalidations'));
  }

  #makeLookup(kept: (capacity: number) => Kept, tlbEntries: number): Lookup {
    const walks = {
      translations: kept(tlbEntries),
      steps: Array.from({ length: LEVELS }, () => kept(OTHER_ENTRIES)),
    };
    const onStale: SmmuState['onStale'] = (what, older, now) =>
      this.state.onStale(what, older, now);
    return new Lookup(walks, onStale, (context, address) => this.#refetch(context, address));
  }

  /** As the hardware may, unasked: through the stream that had the context, if it has it still. */
  #refetch(context: number, address: number): TableWalk | null {
    const sid = this.#streamOf.get(context);
    const config = sid === undefined ? null : this.#contextOf(context, sid);
    if (config === null) return null;
    this.#unseen.translate(config.regime, address, null);
    return this.#unseen.walk;
  }

  /** What memory says of a stream if it translates in this context; else null. */
  #contextOf(context: number, sid: number): StreamConfig | null {
    if (!this.state.isTranslating) return null;
    const config = this.configurations.peek(this.state.table, sid);
    const isIt = config?.meets === 'translation' && config.context === context;
    return isIt && !config.isDisabled ? config : null;
  }
}
