import { CacheOp, TlbOp } from '../../../../drivers/base/types/isa';
import type { Isa } from '../../../../drivers/base/types/isa';
import { alignDown } from '../../../../drivers/base/types/bits';

/** What a kernel told its CPU to do: the part of it that translation tables are about. */
export type Step =
  | {
      readonly kind: 'store';
      readonly address: number;
      readonly low: number;
      readonly high: number;
    }
  | { readonly kind: 'cache'; readonly op: CacheOp; readonly operand: number }
  | { readonly kind: 'tlb'; readonly op: TlbOp; readonly operand: number; readonly asid: number }
  | { readonly kind: 'dsb' | 'isb' }
  | {
      readonly kind: 'register';
      readonly name: string;
      readonly low: number;
      readonly high: number;
    };

/** The methods that are listened to. */
type Spied = Pick<Isa, 'store32' | 'store64' | 'cacheOp' | 'tlbOp' | 'dsb' | 'isb' | 'writeSys'>;

/** Runs `body` and answers its value and, in order, what it made `cpu` do, which is done as always. */
export const recording = <Value>(
  cpu: Spied,
  body: () => Value,
): { readonly steps: readonly Step[]; readonly value: Value } => {
  const steps: Step[] = [];
  const real: Spied = {
    store32: cpu.store32.bind(cpu),
    store64: cpu.store64.bind(cpu),
    cacheOp: cpu.cacheOp.bind(cpu),
    tlbOp: cpu.tlbOp.bind(cpu),
    dsb: cpu.dsb.bind(cpu),
    isb: cpu.isb.bind(cpu),
    writeSys: cpu.writeSys.bind(cpu),
  };
  cpu.store32 = (address, low) => {
    steps.push({ kind: 'store', address, low, high: 0 });
    real.store32(address, low);
  };
  cpu.store64 = (address, low, high) => {
    steps.push({ kind: 'store', address, low, high });
    real.store64(address, low, high);
  };
  cpu.cacheOp = (op, operand) => {
    steps.push({ kind: 'cache', op, operand });
    real.cacheOp(op, operand);
  };
  cpu.tlbOp = (op, operand, asid) => {
    steps.push({ kind: 'tlb', op, operand, asid });
    real.tlbOp(op, operand, asid);
  };
  cpu.dsb = () => {
    steps.push({ kind: 'dsb' });
    real.dsb();
  };
  cpu.isb = () => {
    steps.push({ kind: 'isb' });
    real.isb();
  };
  cpu.writeSys = (name, low, high = 0) => {
    steps.push({ kind: 'register', name, low, high });
    real.writeSys(name, low, high);
  };
  try {
    return { value: body(), steps };
  } finally {
    Object.assign(cpu, real);
  }
};

const tlbOpName = (op: TlbOp): string =>
  Object.entries(TlbOp).find(([, value]) => value === op)?.[0] ?? `${op}`;

/**
 * The steps as they concern one table entry, in words: what is done to other addresses is left
 * out. `break` stores an invalid entry, `make` a valid one, `clean` is of the entry's line.
 */
export const storyOf = (steps: readonly Step[], entry: number, line: number): string[] =>
  steps.flatMap(step => {
    switch (step.kind) {
      case 'store':
        if (step.address !== entry) return [];
        return [(step.low & 3) === 0 ? 'break' : 'make'];
      case 'cache':
        return step.op === CacheOp.CVAC && alignDown(step.operand, line) === alignDown(entry, line)
          ? ['clean']
          : [];
      case 'tlb':
        return [`${tlbOpName(step.op)} ${step.operand.toString(16)} asid ${step.asid}`];
      case 'register':
        return [];
      default:
        return [step.kind];
    }
  });
