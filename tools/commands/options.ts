import type { Argv, CommandModule, Options } from 'yargs';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { LIST_FORMATS } from './arguments';
import type { ListArguments, MachineArguments } from './arguments';

/* What several commands have in common. Nothing heavy may be imported here. */

/** What a command does once its arguments are read. */
export type Task = (host: Host) => Promise<ExitStatus>;

/**
 * A command that hands its task on instead of doing it. The task imports what it needs when it
 * runs, so that neither `--help` nor another command waits for it.
 */
export type Command<Arguments> = (assign: (task: Task) => void) => CommandModule<object, Arguments>;

const BOARD = 'A board by name, a .dts, a .dtb, or a folder such as /proc/device-tree';

const memory = {
  type: 'string',
  requiresArg: true,
  describe: 'RAM in place of what the tree says: 512M, 2G, 0x10000000',
} as const satisfies Options;

const quirk = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: 'Switch something Linux knows beside the tree: --quirk=+NAME or --quirk=-NAME',
} as const satisfies Options;

const overlay = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: 'Apply an overlay (.dtbo or .dts) to the tree; in the order given',
} as const satisfies Options;

export const load = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: "Add a module's suites, drivers and models of devices (.ts, .js, .cjs, .mjs)",
} as const satisfies Options;

const coherent = {
  type: 'string',
  requiresArg: true,
  describe: 'How memory is shared with devices that do not snoop: a strategy by name',
} as const satisfies Options;

const bounce = {
  type: 'string',
  requiresArg: true,
  describe: 'What takes data round where a device does not reach it: swiotlb or dmabounce',
} as const satisfies Options;

const cmdline = {
  type: 'string',
  requiresArg: true,
  describe: "Words of the kernel's command line: 'swiotlb=force coherent_pool=1M cma=16M'",
} as const satisfies Options;

/** What changes a machine. */
export const machineOptions = { memory, quirk, overlay, load, coherent, bounce, cmdline };

/** Not drawn by chance: two people who type the same see the same. */
const DEFAULT_SEED = '1';

export const seed = {
  type: 'string',
  requiresArg: true,
  default: DEFAULT_SEED,
  describe: 'The seed of everything that is left to chance',
} as const satisfies Options;

export const suite = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: 'Run only suites or cases of this pattern: SUITE or SUITE.CASE, with *',
} as const satisfies Options;

/** The board and the options that change what it is. */
export const withMachine = (yargs: Argv): Argv<MachineArguments> =>
  yargs
    .positional('board', { type: 'string', describe: BOARD, demandOption: true })
    .options(machineOptions);

/** One of several words; its default keeps their type. */
export interface Choice<Words extends readonly string[]> extends Options {
  readonly choices: Words;
  readonly default: Words[number];
}

const format: Choice<typeof LIST_FORMATS> = {
  choices: LIST_FORMATS,
  requiresArg: true,
  describe: 'For a person, or for a program',
  default: 'human',
};

/** The format option of commands that only tell. */
export const withListFormat = <T>(yargs: Argv<T>): Argv<T & ListArguments> =>
  yargs.option('format', format);
