import type { Scheduler } from '../../drivers/base/kernel/scheduler';
import type { Task } from '../../drivers/base/kernel/task';

/** Which client is called what: `order[client]` is its name. */
export type Naming = readonly number[];

/**
 * A state in words, in which client number 3 is called `@3`. What it leaves out must make no difference,
 * or the verdict is of another program.
 */
export interface WorldState {
  readonly shared: string;
  /** What is each client's own. */
  readonly clients: readonly string[];
}

/** The state in words, with clients called by other names. */
export const namedState = ({ shared, clients }: WorldState, naming: Naming): string => {
  const ordered = naming.map((_, name) => clients[naming.indexOf(name)] ?? '');
  const text = [shared, ...ordered].join('|');
  if (naming.every((name, client) => name === client)) return text;
  return text.replace(/@(\d+)/g, (_, client: string) => `@${naming[Number(client)] ?? ''}`);
};

/** One execution of a scenario, which goes on as it is told to. */
export interface World {
  readonly scheduler: Scheduler;
  /** The tasks between which there is a choice: one for each client, in their order. */
  readonly clients: readonly Task[];
  /** How often each client has done what it is there for. Not part of the state. */
  readonly completed: readonly number[];
  /** The state: everything that the future depends on. */
  readonly state: WorldState;
  /**
   * True where a client's next step touches nothing that another one can see or change: it follows at
   * once then, as every order of such a step and others' leads to the same states.
   */
  isLocal(client: Task): boolean;
}

/** A program whose interleavings are to be looked at. */
export interface Scenario {
  readonly clients: number;
  /** Renamings of the clients under which the program is the same, the identity first. */
  readonly symmetries: readonly Naming[];
  make(): World;
}

/** All renamings of clients that exchange only those of one kind, the identity first. */
export const symmetriesOf = (kinds: readonly unknown[]): readonly Naming[] => {
  const extend = (naming: Naming): readonly Naming[] => {
    if (naming.length === kinds.length) return [naming];
    const kind = kinds[naming.length];
    const names = kinds.flatMap((other, name) =>
      other === kind && !naming.includes(name) ? [name] : [],
    );
    return names.flatMap(name => extend([...naming, name]));
  };
  return extend([]);
};
