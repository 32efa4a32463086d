import type { CoherentName } from '../../../mm/arch-dma';
import type { CostTable } from '../costs';
import type { JudgedCoherent } from './judge';
import type { CoherentMeasure } from './measure';

/** A strategy on the board, as it was found. */
export interface CoherentRow extends JudgedCoherent, CoherentMeasure {
  readonly strategy: CoherentName;
  readonly summary: string;
  /** What the board does by itself. */
  readonly isDefault: boolean;
  /** Bytes of RAM that it was looked at with, where that is not what the board has. */
  readonly memory: number | null;
}

/** The whole table. */
export interface CoherentReport {
  readonly board: string;
  readonly model: string;
  readonly rows: readonly CoherentRow[];
  readonly costs: CostTable;
  readonly notes: readonly string[];
}
