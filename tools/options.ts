import { InputError } from '../drivers/base/types/errors';
import type { DmaTiming } from '../drivers/base/hw/dma-port';
import { parseBounce } from '../machines/bounce';
import { parseKernelParameters } from '../machines/kernel-parameters';
import { parseCoherent } from '../machines/coherent';
import type { DmaDebugOptions } from '../mm/dma-debug';
import type { DeviceModule } from '../machines/devices';
import type { PlanOptions } from '../machines/plan';
import type { QuirkChoice } from '../machines/quirks';
import type { MachineOptions } from './commands/arguments';

/* What the values of options mean. A wrong one is an InputError that names its option. */

const wrong = (option: string, expected: string, found: string): InputError =>
  new InputError({ place: option, expected, found: `'${found}'` });

const NUMBER = /^(?:[0-9]+|0x[0-9a-f]+)$/i;

/** Seeds are 32 bits: that is what the generator of random numbers takes. */
const LARGEST_SEED = 0xffff_ffff;

/** An integer of 32 bits, decimal or with 0x. */
export const parseSeed = (text: string): number => {
  const seed = NUMBER.test(text) ? Number(text) : NaN;
  if (seed <= LARGEST_SEED) return seed;
  throw wrong('--seed', `an integer from 0 to ${LARGEST_SEED}`, text);
};

const SIZE = /^([0-9]+|0x[0-9a-f]+)([kmgt]?)(?:i?b)?$/i;
const UNITS = ['', 'k', 'm', 'g', 't'];
const PAGE = 4096;
/** What the kernel and the suites need. */
const LEAST_MEMORY = 2 ** 24;
/** Half of the physical addresses there are: the rest is for devices. */
const MOST_MEMORY = 2 ** 47;

/** Bytes of RAM: `512M`, `2G`, `0x10000000`; units are powers of 1024. */
export const parseMemory = (text: string): number => {
  const [, number = '', unit = ''] = SIZE.exec(text) ?? [];
  const isHexWithUnit = /^0x/i.test(number) && unit !== '';
  const size = Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase());
  if (number === '' || isHexWithUnit) {
    throw wrong('--memory', 'a size such as 512M, 2G or 0x10000000', text);
  }
  if (size >= LEAST_MEMORY && size <= MOST_MEMORY && size % PAGE === 0) return size;
  throw wrong('--memory', `16M to 128T, a multiple of ${PAGE} bytes`, text);
};

/** `+name` or `-name`; whether there is a quirk of that name, the machine decides. */
export const parseQuirk = (text: string): QuirkChoice => {
  const name = text.slice(1);
  if (/^[+-]/.test(text) && name !== '') return { name, on: text.startsWith('+') };
  throw wrong('--quirk', '+NAME or -NAME', text);
};

/** `both` is a run each. */
export const timingsOf = (choice: DmaTiming | 'both'): readonly DmaTiming[] =>
  choice === 'both' ? ['earliest', 'latest'] : [choice];

/** An adversary by its name, or the file of a script. */
export type AdversaryName =
  { readonly kind: 'all' | 'lru' | 'random' } | { readonly kind: 'script'; readonly file: string };

/** `all`, `lru`, `random`, or `script:` and a file, which is not read here. */
export const parseAdversary = (text: string): AdversaryName => {
  if (text === 'all' || text === 'lru' || text === 'random') return { kind: text };
  const file = text.startsWith('script:') ? text.slice('script:'.length) : '';
  if (file !== '') return { kind: 'script', file };
  throw wrong('--adversary', 'all, lru, random or script:FILE', text);
};

const VERSIONS = ['6.1', '6.12', 'newest'] as const;
/** More are not used by any run. */
const MOST_ENTRIES = 2 ** 20;

/** The settings of dma-debug, of which the last of a kind counts: its boot parameters. */
export const parseDmaDebug = (texts: readonly string[]): DmaDebugOptions =>
  texts.reduce<DmaDebugOptions>((all, text) => ({ ...all, ...dmaDebugSetting(text) }), {});

const dmaDebugSetting = (text: string): DmaDebugOptions => {
  const [, key, value = ''] = /^([a-z]+)(?:=(.*))?$/s.exec(text) ?? [];
  const version = VERSIONS.find(one => one === value);
  if (text === 'off') return { isOff: true };
  if (key === 'driver' && value !== '') return { driver: value };
  if (key === 'version' && version !== undefined) return { version };
  const entries = NUMBER.test(value) ? Number(value) : 0;
  if (key === 'entries' && entries >= 1 && entries <= MOST_ENTRIES) return { entries };
  const expected = `off, entries=N up to ${MOST_ENTRIES}, driver=NAME or version=${VERSIONS.join('|')}`;
  throw wrong('--dma-debug', expected, text);
};

/** What the options say of the machine, and `modules` that were loaded for it. */
export const planOptions = (
  { memory, quirk = [], coherent, bounce, cmdline }: MachineOptions,
  modules: readonly DeviceModule[] = [],
): PlanOptions => ({
  memory: memory === undefined ? null : parseMemory(memory),
  quirks: quirk.map(parseQuirk),
  ...(modules.length === 0 ? {} : { modules }),
  ...(coherent === undefined ? {} : { coherent: parseCoherent(coherent, '--coherent') }),
  ...(bounce === undefined ? {} : { bounce: parseBounce(bounce, '--bounce') }),
  ...(cmdline === undefined ? {} : { dmaMemory: parseKernelParameters(cmdline, '--cmdline') }),
});
