import { offsetBy } from '../../../base/types/address';
import { PAGE_SIZE } from '../../../base/types/bits';
import { GC_LITE } from '../regs';
import type { HardwareJob, VivanteGpu } from './gpu';

/** What is kept of a GPU that hangs, before it is reset (etnaviv_dump.c). */
export interface Coredump {
  /** Registers that can be read without an effect, by name. */
  readonly registers: Readonly<Record<string, number>>;
  readonly ring: readonly number[];
  /** The guilty job's commands, and where its address space has its tables; null without a job. */
  readonly commands: readonly number[] | null;
  readonly table: number | null;
  readonly context: string | null;
}

/** Registers whose read has no effect. */
const READABLE = GC_LITE.layout.registers.filter(
  ({ array, access, count }) =>
    array === null && count === null && access !== 'wo' && access !== 'rc',
);

/** Looks at everything and changes nothing. `job`: whose fault it is taken to be. */
export const coredump = (gpu: VivanteGpu, job: HardwareJob | null): Coredump => {
  const { io } = gpu.dev.services;
  const word = (at: number): number =>
    io.relaxed.readl(offsetBy(gpu.ring.buffer.cpuAddr, at)) >>> 0;
  return {
    registers: Object.fromEntries(
      READABLE.map(({ key, at }) => [key, io.readl(offsetBy(gpu.base, at))]),
    ),
    ring: Array.from({ length: PAGE_SIZE / 4 }, (_, i) => word(4 * i)),
    commands: job?.words ?? null,
    table: job?.context.table ?? null,
    context: job?.context.name ?? null,
  };
};
