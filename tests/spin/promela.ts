import type { SpinMachine } from './machine';
import { isOuter } from './scenario';
import type { LineOperation, Program, ScenarioStep } from './scenario';

/*
 * The machine in Promela, from the description of the hardware (DESIGN 4 and 5, the architecture
 * manual): a process per line that fills, evicts, writes back and drains at will, one for the
 * store buffer, one for loads before their time, and the program. Values are version numbers.
 * What the checker's tables say of the same was not looked at.
 */

/** Stores that wait at once: one more, and the program waits. */
const STORES = 5;
/** Writes to one word that wait in the outer buffer. */
const BUFFERED = 2;

export interface ModelOptions {
  /** Words of a line; 2 unless given. */
  readonly words?: number;
  /** Every load and device read is asked about, not the last step only. */
  readonly asksAll?: boolean;
}

/**
 * One model for all programs; when it runs, the environment chooses one of them (PROGRAM) and the
 * steps that it leaves out (DROPPED, a sum of powers of 2).
 */
export const modelOf = (
  machine: SpinMachine,
  programs: readonly Program[],
  options: ModelOptions = {},
): string => {
  const lines = Math.max(...programs.map(program => program.lines));
  const model = new Model(machine, lines, options);
  return [
    model.state(),
    model.program(programs),
    model.lineAgents(),
    model.storeBuffer(),
    model.earlyLoads(),
  ].join('\n');
};

type Text = string;

class Model {
  readonly #lines: number;
  readonly #words: number;
  readonly #asksAll: boolean;
  readonly #cells: number;
  readonly #outer: boolean;
  readonly #buffers: boolean;
  readonly #delays: boolean;
  readonly #machine: SpinMachine;

  constructor(machine: SpinMachine, lines: number, { words = 2, asksAll = false }: ModelOptions) {
    this.#asksAll = asksAll;
    this.#machine = machine;
    this.#lines = lines;
    this.#words = words;
    this.#cells = lines * words;
    this.#outer = machine.hasOuter;
    this.#buffers = machine.core.storeBuffer > 0;
    this.#delays = machine.delaysMaintenance;
  }

  state(): Text {
    const { speculativeFill } = this.#machine.core;
    return `
byte program; bool done; byte value;
byte latest[${this.#cells}]; byte mem[${this.#cells}];
bool mapped[${this.#lines}]; bool inP[${this.#lines}]; bool inD[${this.#lines}]; byte inV[${this.#cells}];
bool outP[${this.#lines}]; bool outD[${this.#lines}]; byte outV[${this.#cells}];
byte bufN[${this.#cells}]; byte bufA[${this.#cells}]; byte bufB[${this.#cells}]; byte ordA[${this.#cells}]; byte ordB[${this.#cells}];
byte pend[${this.#lines}]; byte next[${this.#lines}];
byte sbN; byte sbC[${STORES}]; byte sbV[${STORES}]; bool sbK[${STORES}]; byte sbE[${STORES}]; byte epoch;
bool early[${this.#cells}]; byte ev[${this.#cells}];
bool used[${this.#cells}]; bool mayBeEarly[${this.#cells}];
#define SPECULATES ${speculativeFill ? 'true' : 'false'}`;
  }

  /** The program that was chosen: its last step is asserted. */
  program(programs: readonly Program[]): Text {
    const bodies = programs.map((program, n) => {
      const last = program.steps.length - 1;
      const steps = program.steps.map((step, i) => {
        if (isOuter(step) && !this.#outer) return '';
        const text = this.#step(step, this.#asksAll || i === last, `L${n}_${i}`);
        if (i === last || !program.droppable.flat().includes(i)) return text;
        return `if :: c_expr { (dropped >> ${i}) & 1 } -> skip :: else -> ${text} fi;`;
      });
      return `  :: program == ${n} ->\n${this.#prepare(program)}\n${steps.join('\n')}`;
    });
    return `c_decl { static int dropped; };
active proctype Program() {
  c_code { now.program = atoi(getenv("PROGRAM")); dropped = atoi(getenv("DROPPED")); };
  if\n${bodies.join('\n')}\n  fi;
  done = true
}`;
  }

  /** What a program does not use stays out of the search. */
  #prepare({ steps }: Program): Text {
    const set = new Set<Text>();
    for (const step of steps) {
      if (!('line' in step)) continue;
      set.add(`mapped[${step.line}] = true`);
      if (!('word' in step)) continue;
      const c = this.#cell(step.line, step.word);
      set.add(`used[${c}] = true`);
      if (step.do === 'load' && step.mapping === 'uncached') set.add(`mayBeEarly[${c}] = true`);
    }
    return `atomic { ${[...set].join('; ')} };`;
  }

  lineAgents(): Text {
    const processes: Text[] = [];
    for (let n = 0; n < this.#lines; n++) {
      const choices = [
        `:: atomic { !done && SPECULATES && mapped[${n}] && !inP[${n}] -> ${this.#fill(n)} }`,
        `:: atomic { !done && inP[${n}] && !inD[${n}] -> ${this.#dropInner(n)} }`,
        `:: atomic { !done && inP[${n}] && inD[${n}] -> ${this.#cleanInner(n)} }`,
      ];
      if (this.#delays) {
        choices.push(`:: atomic { !done && pend[${n}] != 0 -> ${this.#complete(n)} }`);
      }
      if (this.#outer) {
        choices.push(
          `:: atomic { !done && SPECULATES && mapped[${n}] && !outP[${n}] -> ${this.#fillOuter(n)} }`,
          `:: atomic { !done && outP[${n}] && !outD[${n}] -> ${this.#dropOuter(n)} }`,
          `:: atomic { !done && outP[${n}] && outD[${n}] -> ${this.#cleanOuter(n)} }`,
        );
        for (const c of this.#cellsOf(n)) {
          choices.push(
            `:: atomic { !done && bufN[${c}] > 0 && ${this.#mayDrain(c)} -> ${this.#drainCell(c)} }`,
          );
        }
      }
      processes.push(`active proctype Line${n}() {\nend: do\n  ${choices.join('\n  ')}\n  od\n}`);
    }
    return processes.join('\n');
  }

  /** Stores leave in any order, but those of one word and of an earlier epoch first. */
  storeBuffer(): Text {
    if (!this.#buffers) return '';
    const choices: Text[] = [];
    for (let i = 0; i < STORES; i++) {
      const blocked = Array.from(
        { length: i },
        (_, j) => `sbC[${j}] != sbC[${i}] && sbE[${j}] >= sbE[${i}]`,
      );
      const guard = [`!done`, `sbN > ${i}`, ...blocked].join(' && ');
      choices.push(`:: atomic { ${guard} -> ${this.#leave(i)} }`);
    }
    return `active proctype Stores() {\nend: do\n  ${choices.join('\n  ')}\n  od\n}`;
  }

  /** A load of uncached memory may be performed before those that come before it. */
  earlyLoads(): Text {
    if (!this.#machine.core.earlyLoads) return '';
    const choices = Array.from({ length: this.#cells }, (_, c) => {
      const ownStore = Array.from(
        { length: STORES },
        (_, i) => `!(sbN > ${i} && sbC[${i}] == ${c})`,
      );
      const guard = ['!done', `mayBeEarly[${c}]`, `!early[${c}]`, ...ownStore].join(' && ');
      return `:: atomic { ${guard} -> ${this.#uncachedValue(c)}; ev[${c}] = value; early[${c}] = 1; value = 0 }`;
    });
    return `active proctype Early() {\nend: do\n  ${choices.join('\n  ')}\n  od\n}`;
  }

  #cell(line: number, word: number): number {
    return line * this.#words + word;
  }

  #cellsOf(line: number): readonly number[] {
    return Array.from({ length: this.#words }, (_, word) => this.#cell(line, word));
  }

  #each(line: number, text: (cell: number) => Text): Text {
    return this.#cellsOf(line).map(text).join('; ');
  }

  /** Memory behind the writes that wait in the outer buffer. */
  #behind(c: number): Text {
    return this.#outer
      ? `(bufN[${c}] == 0 -> mem[${c}] : (bufN[${c}] == 1 -> bufA[${c}] : bufB[${c}]))`
      : `mem[${c}]`;
  }

  /** `order`: the epoch of a store plus one, 0 for a line that leaves a cache. */
  #toMemory(c: number, v: Text, order: Text): Text {
    if (!this.#outer) return `mem[${c}] = ${v}`;
    const first = `bufA[${c}] = ${v}; ordA[${c}] = ${order}; bufN[${c}] = 1`;
    const last = `bufB[${c}] = ${v}; ordB[${c}] = ${order}; bufN[${c}] = ${BUFFERED}`;
    return `if :: !used[${c}] -> skip :: used[${c}] && bufN[${c}] == 0 -> ${first} :: used[${c}] && bufN[${c}] > 0 -> ${last} fi`;
  }

  /** No store of an earlier epoch waits in the outer buffer. */
  #mayDrain(c: number): Text {
    const isLater = (d: number, held: number, order: Text): Text =>
      `(bufN[${d}] < ${held} || ${order}[${d}] == 0 || ${order}[${d}] >= ordA[${c}])`;
    const others = Array.from({ length: this.#cells }, (_, d) => d).filter(d => d !== c);
    const earlier = others.flatMap(d => [isLater(d, 1, 'ordA'), isLater(d, BUFFERED, 'ordB')]);
    return ['true', ...earlier].join(' && ');
  }

  #drainCell(c: number): Text {
    return `mem[${c}] = bufA[${c}]; bufA[${c}] = bufB[${c}]; bufB[${c}] = 0; ordA[${c}] = ordB[${c}]; ordB[${c}] = 0; bufN[${c}] = bufN[${c}] - 1`;
  }

  #fillOuter(n: number): Text {
    return `outP[${n}] = 1; outD[${n}] = 0; ${this.#each(n, c => `outV[${c}] = ${this.#behind(c)}`)}`;
  }

  #fill(n: number): Text {
    if (!this.#outer)
      return `inP[${n}] = 1; inD[${n}] = 0; ${this.#each(n, c => `inV[${c}] = mem[${c}]`)}`;
    return `if :: !outP[${n}] -> ${this.#fillOuter(n)} :: else -> skip fi; inP[${n}] = 1; inD[${n}] = 0; ${this.#each(n, c => `inV[${c}] = outV[${c}]`)}`;
  }

  /** What is not there has no contents: else states would differ that are the same. */
  #dropInner(n: number): Text {
    return `inP[${n}] = 0; inD[${n}] = 0; ${this.#each(n, c => `inV[${c}] = 0`)}`;
  }

  #dropOuter(n: number): Text {
    return `outP[${n}] = 0; outD[${n}] = 0; ${this.#each(n, c => `outV[${c}] = 0`)}`;
  }

  /** A dirty line goes to the outer cache, which keeps it dirty, or to memory. */
  #cleanInner(n: number): Text {
    const to = this.#outer
      ? `outP[${n}] = 1; outD[${n}] = 1; ${this.#each(n, c => `outV[${c}] = inV[${c}]`)}`
      : this.#each(n, c => `mem[${c}] = inV[${c}]`);
    return `if :: inP[${n}] && inD[${n}] -> ${to}; inD[${n}] = 0 :: else -> skip fi`;
  }

  #cleanOuter(n: number): Text {
    return `if :: outP[${n}] && outD[${n}] -> ${this.#each(n, c => this.#toMemory(c, `outV[${c}]`, '0'))}; outD[${n}] = 0 :: else -> skip fi`;
  }

  #perform(n: number, op: LineOperation): Text {
    const { invalidateMayWriteBack } = this.#machine.core;
    const parts: Text[] = [];
    if (op !== 'invalidate') parts.push(this.#cleanInner(n));
    else if (invalidateMayWriteBack) parts.push(`if :: ${this.#cleanInner(n)} :: skip fi`);
    if (op !== 'clean') parts.push(this.#dropInner(n));
    return parts.join('; ');
  }

  /** Operations of a line complete in their order; what is pending: 1 clean, 2 invalidate, 3 both. */
  #complete(n: number): Text {
    const ops: readonly LineOperation[] = ['clean', 'invalidate', 'clean+invalidate'];
    const choices = ops.map((op, i) => `:: pend[${n}] == ${i + 1} -> ${this.#perform(n, op)}`);
    return `if ${choices.join(' ')} fi; pend[${n}] = next[${n}]; next[${n}] = 0`;
  }

  /** A store reaches the caches or memory. */
  #arrive(c: number, v: Text, cached: boolean, epoch: Text): Text {
    const n = Math.floor(c / this.#words);
    const { ncLookup, writeAllocate } = this.#machine.core;
    if (!cached) {
      const update =
        ncLookup === 'hits' ? `if :: inP[${n}] -> inV[${c}] = ${v} :: else -> skip fi; ` : '';
      return `${update}${this.#toMemory(c, v, `${epoch} + 1`)}`;
    }
    const hit = `inV[${c}] = ${v}; inD[${n}] = 1`;
    if (writeAllocate !== 'never')
      return `if :: !inP[${n}] -> ${this.#fill(n)} :: else -> skip fi; ${hit}`;
    return `if :: inP[${n}] -> ${hit} :: else -> ${this.#toMemory(c, v, `${epoch} + 1`)} fi`;
  }

  #leave(i: number): Text {
    const choices = Array.from({ length: this.#cells }, (_, c) => [
      `:: sbC[${i}] == ${c} && sbK[${i}] -> ${this.#arrive(c, `sbV[${i}]`, true, `sbE[${i}]`)}`,
      `:: sbC[${i}] == ${c} && !sbK[${i}] -> ${this.#arrive(c, `sbV[${i}]`, false, `sbE[${i}]`)}`,
    ]).flat();
    const shift: Text[] = [];
    for (let j = i; j < STORES - 1; j++) {
      shift.push(
        `sbC[${j}] = sbC[${j + 1}]; sbV[${j}] = sbV[${j + 1}]; sbK[${j}] = sbK[${j + 1}]; sbE[${j}] = sbE[${j + 1}]`,
      );
    }
    shift.push(
      `sbC[${STORES - 1}] = 0; sbV[${STORES - 1}] = 0; sbK[${STORES - 1}] = 0; sbE[${STORES - 1}] = 0`,
    );
    return `if ${choices.join(' ')} fi; ${shift.join('; ')}; sbN = sbN - 1`;
  }

  /** No store to the line waits. */
  #noStores(n: number): Text {
    if (!this.#buffers) return 'true';
    return Array.from(
      { length: STORES },
      (_, i) => `(sbN <= ${i} || sbC[${i}] / ${this.#words} != ${n})`,
    ).join(' && ');
  }

  #noOlderStores(): Text {
    if (!this.#buffers) return 'true';
    return Array.from({ length: STORES }, (_, i) => `(sbN <= ${i} || sbE[${i}] >= epoch)`).join(
      ' && ',
    );
  }

  /** Leaves in \`value\` what uncached memory answers. */
  #uncachedValue(c: number): Text {
    const n = Math.floor(c / this.#words);
    const { ncLookup, l2 } = this.#machine.core;
    const beyond = `value = ${this.#behind(c)}`;
    if (ncLookup === 'ignores') return beyond;
    // What is in the second level only, an access that is not cacheable there passes by.
    const elsewhere = l2 === null ? '' : ` :: inP[${n}] -> ${beyond}`;
    return `if :: inP[${n}] -> value = inV[${c}]${elsewhere} :: !inP[${n}] -> ${beyond} fi`;
  }

  #forward(c: number): Text {
    if (!this.#buffers) return '';
    return Array.from(
      { length: STORES },
      (_, i) => `; if :: sbN > ${i} && sbC[${i}] == ${c} -> value = sbV[${i}] :: else -> skip fi`,
    ).join('');
  }

  #load(c: number, cached: boolean): Text {
    const n = Math.floor(c / this.#words);
    if (cached) {
      return `if :: !inP[${n}] -> ${this.#fill(n)} :: else -> skip fi; value = inV[${c}]${this.#forward(c)}`;
    }
    const now = `${this.#uncachedValue(c)}${this.#forward(c)}`;
    if (!this.#machine.core.earlyLoads) return now;
    return `if :: early[${c}] -> value = ev[${c}]; early[${c}] = 0; ev[${c}] = 0${this.#forward(c)} :: !early[${c}] -> ${now} fi`;
  }

  #dropEarly(): Text {
    if (!this.#machine.core.earlyLoads) return 'skip';
    return Array.from({ length: this.#cells }, (_, c) => `early[${c}] = 0; ev[${c}] = 0`).join(
      '; ',
    );
  }

  /** A cacheable access waits for this CPU's maintenance of the line. */
  #settled(n: number): Text {
    return this.#delays ? `pend[${n}] == 0` : 'true';
  }

  #step(step: ScenarioStep, isAsked: boolean, label: string): Text {
    const check = (c: number): Text => (isAsked ? `; assert(value == latest[${c}])` : '');
    switch (step.do) {
      case 'store':
        return this.#storeStep(this.#cell(step.line, step.word), step.mapping === 'cached');
      case 'load': {
        const c = this.#cell(step.line, step.word);
        const guard = step.mapping === 'cached' ? this.#settled(step.line) : 'true';
        return `atomic { ${guard} -> ${this.#load(c, step.mapping === 'cached')}${check(c)}; value = 0 };`;
      }
      case 'poll': {
        const c = this.#cell(step.line, step.word);
        const guard = step.mapping === 'cached' ? this.#settled(step.line) : 'true';
        return `${label}: atomic { ${guard} -> ${this.#load(c, step.mapping === 'cached')}; if :: value == latest[${c}] -> value = 0 :: else -> value = 0; goto ${label} fi };`;
      }
      case 'device polls': {
        const c = this.#cell(step.line, step.word);
        return `mem[${c}] == latest[${c}];`;
      }
      case 'device read': {
        const c = this.#cell(step.line, step.word);
        return `atomic { ${this.#deviceValue(c, step.line, step.snoops)}${check(c)}; value = 0 };`;
      }
      case 'device write':
        return `atomic { ${this.#deviceWrite(this.#cell(step.line, step.word), step.line, step.snoops)} };`;
      case 'maintain':
        return this.#maintainStep(step.line, step.op);
      case 'maintain outer': {
        const drop = step.op === 'clean' ? '' : this.#dropOuter(step.line);
        const clean = step.op === 'invalidate' ? '' : this.#cleanOuter(step.line);
        const parts = [clean, drop].filter(part => part !== '').join('; ');
        return `atomic { ${this.#noOlderStores()} -> ${parts} };`;
      }
      case 'is kept': {
        const c = this.#cell(step.line, step.word);
        return `assert(${this.#isKept(c, step.line)});`;
      }
      case 'map':
      case 'unmap':
        return `mapped[${step.line}] = ${step.do === 'map' ? 'true' : 'false'};`;
      default:
        return this.#barrier(step.do);
    }
  }

  #storeStep(c: number, cached: boolean): Text {
    const n = Math.floor(c / this.#words);
    const guard = cached ? this.#settled(n) : 'true';
    const write = `latest[${c}] = latest[${c}] + 1; early[${c}] = 0; ev[${c}] = 0`;
    if (!this.#buffers)
      return `atomic { ${guard} -> ${write}; ${this.#arrive(c, `latest[${c}]`, cached, 'epoch')} };`;
    return `atomic { ${guard} && sbN < ${STORES} -> ${write}; sbC[sbN] = ${c}; sbV[sbN] = latest[${c}]; sbK[sbN] = ${cached ? 1 : 0}; sbE[sbN] = epoch; sbN = sbN + 1 };`;
  }

  #maintainStep(n: number, op: LineOperation): Text {
    if (!this.#delays) return `atomic { ${this.#noStores(n)} -> ${this.#perform(n, op)} };`;
    const code = op === 'clean' ? 1 : op === 'invalidate' ? 2 : 3;
    return `atomic { ${this.#noStores(n)} && next[${n}] == 0 -> if :: pend[${n}] == 0 -> pend[${n}] = ${code} :: else -> next[${n}] = ${code} fi };`;
  }

  #deviceValue(c: number, n: number, snoops: boolean): Text {
    if (!snoops) return `value = mem[${c}]`;
    const beyond = this.#outer
      ? `if :: outP[${n}] -> value = outV[${c}] :: else -> value = ${this.#behind(c)} fi`
      : `value = mem[${c}]`;
    return `if :: inP[${n}] -> value = inV[${c}] :: else -> ${beyond} fi`;
  }

  #deviceWrite(c: number, n: number, snoops: boolean): Text {
    const write = `latest[${c}] = latest[${c}] + 1`;
    if (!snoops) return `${write}; mem[${c}] = latest[${c}]`;
    const beyond = this.#outer
      ? `if :: outP[${n}] -> outV[${c}] = latest[${c}]; outD[${n}] = 1 :: else -> ${this.#toMemory(c, `latest[${c}]`, '0')} fi`
      : `mem[${c}] = latest[${c}]`;
    const through = `${this.#cleanInner(n)}; ${this.#dropInner(n)}; ${beyond}`;
    if (this.#machine.core.snoopedWrite !== 'updates') return `${write}; ${through}`;
    return `${write}; if :: inP[${n}] -> inV[${c}] = latest[${c}]; inD[${n}] = 1 :: else -> ${through} fi`;
  }

  #isKept(c: number, n: number): Text {
    const is = (v: Text): Text => `${v} == latest[${c}]`;
    const holders = [
      is(`mem[${c}]`),
      `(inP[${n}] && ${is(`inV[${c}]`)})`,
      `(outP[${n}] && ${is(`outV[${c}]`)})`,
      `(bufN[${c}] > 0 && ${is(`bufA[${c}]`)})`,
      `(bufN[${c}] > 1 && ${is(`bufB[${c}]`)})`,
      ...Array.from(
        { length: STORES },
        (_, i) => `(sbN > ${i} && sbC[${i}] == ${c} && ${is(`sbV[${i}]`)})`,
      ),
    ];
    return holders.join(' || ');
  }

  #barrier(barrier: 'dmb' | 'dsb' | 'outer sync' | 'doorbell'): Text {
    const pending = Array.from({ length: this.#lines }, (_, n) => `pend[${n}] == 0`).join(' && ');
    const buffered = Array.from({ length: this.#cells }, (_, c) => `bufN[${c}] == 0`).join(' && ');
    switch (barrier) {
      case 'dmb':
        return `atomic { epoch = epoch + 1; ${this.#dropEarly()} };`;
      case 'dsb':
        return `atomic { sbN == 0 && ${pending} -> epoch = epoch + 1; ${this.#dropEarly()} };`;
      case 'outer sync':
        return `atomic { ${this.#noOlderStores()} && ${buffered} -> skip };`;
      case 'doorbell':
        return `atomic { ${this.#noOlderStores()} -> skip };`;
    }
  }
}
