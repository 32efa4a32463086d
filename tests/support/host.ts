import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Host, Output } from '../../tools/host';

/** Output that is kept, for tests. */
export class KeptOutput implements Output {
  text = '';
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  readonly columns: number | undefined;

  /** A terminal of so many columns; none if undefined. */
  constructor(columns?: number) {
    this.columns = columns;
    this.isTerminal = columns !== undefined;
    this.hasColour = columns !== undefined;
  }

  write(text: string): void {
    this.text += text;
  }
}

/** A host that is no process: it keeps what is written, and its clock stands unless moved. */
export class TestHost implements Host {
  readonly out: KeptOutput;
  readonly err: KeptOutput;
  readonly env: Record<string, string> = {};
  time = 0;
  /** Interrupts after so many steps. */
  stepsUntilInterrupt = Infinity;

  constructor(columns?: number) {
    this.out = new KeptOutput(columns);
    this.err = new KeptOutput(columns);
  }

  now(): number {
    return this.time;
  }

  untilInterrupted(step: () => boolean): boolean {
    for (let steps = 0; ; steps++) {
      if (steps === this.stepsUntilInterrupt) return true;
      if (!step()) return false;
    }
  }
}

/** A folder that is gone when the test ends. */
export const temporaryFolder = (t: ExecutionContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'dmabench-test-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
};
