import { PAGE_SIZE, alignUp } from '../drivers/base/types/bits';
import { InputError } from '../drivers/base/types/errors';
import type { DeviceTree } from '../drivers/of/tree';
import type { SwiotlbOptions } from '../mm/swiotlb';

/*
 * The kernel's command line, as far as it is of DMA (Documentation/admin-guide/
 * kernel-parameters.txt of 6.12): `swiotlb=`, `coherent_pool=`, `cma=`, `iommu.strict=` and
 * `iommu.passthrough=`.
 */

/** `cma=SIZE[@START][-END]`: the area for everybody's contiguous memory. In bytes. */
export interface CmaParameter {
  /** 0: there is to be none. */
  readonly size: number;
  /** Lowest address that it may have. */
  readonly start: number;
  /** One past the highest; null: any. `SIZE@START` alone leaves no choice. */
  readonly end: number | null;
}

/** What a command line says of DMA; what is absent is the kernel's own. */
export interface DmaMemoryOptions {
  readonly swiotlb?: SwiotlbOptions;
  /** In bytes. */
  readonly coherentPool?: number;
  readonly cma?: CmaParameter;
  /** What is unmapped behind an IOMMU is invalidated at once, not later with other such. */
  readonly iommuStrict?: boolean;
  /** DMA behind an IOMMU is not translated. */
  readonly iommuPassthrough?: boolean;
}

/** Numbers beyond are no sizes of any machine. */
const MOST = 2 ** 48;
/** One mapping may have 128 slots, and each area has as many at least. */
const MOST_SLOTS = 2 ** 32;
const MOST_AREAS = 2 ** 12;

const NUMBER = /^(?:0x[0-9a-f]+|[0-9]+)/i;
const UNITS = 'KMGT';

/** A number, its unit if `units` are allowed, and what comes after it (memparse). */
const numberAt = (text: string, units: string): { value: number; rest: string } | null => {
  const [digits] = NUMBER.exec(text) ?? [];
  if (digits === undefined) return null;
  const rest = text.slice(digits.length);
  // A number that begins with 0 is octal, as to simple_strtoull().
  const isOctal = /^0[0-7]+$/.test(digits);
  const number = isOctal ? parseInt(digits, 8) : Number(digits);
  const unit = rest === '' ? -1 : units.indexOf(rest.charAt(0).toUpperCase());
  return unit < 0
    ? { value: number, rest }
    : { value: number * 1024 ** (unit + 1), rest: rest.slice(1) };
};

/** One parameter: what it says, or what was expected of it. */
type Parse = (value: string) => DmaMemoryOptions | string;

/** `SLOTS[,AREAS]`, `force`, `noforce`, or both with a comma between (setup_io_tlb_npages). */
const swiotlb: Parse = value => {
  const expected = `swiotlb=[SLOTS[,AREAS]][,force|noforce] of at most ${MOST_SLOTS} slots`;
  const [, slots, areas, word] =
    /^(?:(0x[0-9a-f]+|[0-9]+)(?:,(0x[0-9a-f]+|[0-9]+))?(?:,|$))?(force|noforce)?$/i.exec(value) ??
    [];
  const isEmpty = slots === undefined && word === undefined;
  const numbers = [slots, areas].map(text => (text === undefined ? 0 : Number(text)));
  const [count = 0, parts = 0] = numbers;
  if (isEmpty || count > MOST_SLOTS || parts > MOST_AREAS) return expected;
  return {
    swiotlb: {
      ...(slots === undefined ? {} : { slots: count }),
      ...(areas === undefined ? {} : { areas: parts }),
      ...(word === 'force' ? { force: true } : {}),
      ...(word === 'noforce' ? { disabled: true } : {}),
    },
  };
};

/** Bytes, rounded up to pages (early_coherent_pool). */
const coherentPool: Parse = value => {
  const size = numberAt(value, UNITS);
  const isSize = size?.rest === '' && size.value > 0 && size.value <= MOST;
  return isSize ? { coherentPool: alignUp(size.value, PAGE_SIZE) } : 'coherent_pool=SIZE[KMG]';
};

/** `SIZE[@START][-END]` (early_cma). */
const cma: Parse = value => {
  const expected = 'cma=SIZE[KMG][@START[KMG][-END[KMG]]]';
  const size = numberAt(value, UNITS);
  if (size === null || size.value > MOST) return expected;
  if (size.rest === '') return { cma: { size: size.value, start: 0, end: null } };
  const start = size.rest.startsWith('@') ? numberAt(size.rest.slice(1), UNITS) : null;
  if (start === null || start.value > MOST) return expected;
  const fixed = { size: size.value, start: start.value, end: start.value + size.value };
  if (start.rest === '') return { cma: fixed };
  const end = start.rest.startsWith('-') ? numberAt(start.rest.slice(1), UNITS) : null;
  if (end?.rest !== '' || end.value > MOST) return expected;
  return { cma: { ...fixed, end: end.value } };
};

/** Whether `value` says yes or no, as kstrtobool() reads it; null for anything else. */
const booleanOf = (value: string): boolean | null => {
  if (/^(?:[yt1]|on)/i.test(value)) return true;
  return /^(?:[nf0]|of)/i.test(value) ? false : null;
};

const iommuStrict: Parse = value => {
  const isStrict = booleanOf(value);
  return isStrict === null ? 'iommu.strict=0|1' : { iommuStrict: isStrict };
};

const iommuPassthrough: Parse = value => {
  const isPassing = booleanOf(value);
  return isPassing === null ? 'iommu.passthrough=0|1' : { iommuPassthrough: isPassing };
};

const PARAMETERS: Readonly<Record<string, Parse>> = {
  swiotlb,
  coherent_pool: coherentPool,
  cma,
  'iommu.strict': iommuStrict,
  'iommu.passthrough': iommuPassthrough,
};

/** Where a command line was written. */
interface Written {
  readonly place: string;
  readonly property?: string;
  /** Words that are none of ours: an error where somebody wrote them for us. */
  readonly mayHaveOthers: boolean;
}

const parse = (text: string, { place, property, mayHaveOthers }: Written): DmaMemoryOptions => {
  let all: DmaMemoryOptions = {};
  for (const word of text.split(/\s+/).filter(part => part !== '')) {
    const [name = '', ...value] = word.split('=');
    const known = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    if (known === undefined && mayHaveOthers) continue;
    const read = known?.(value.join('=')) ?? `${Object.keys(PARAMETERS).join('=, ')}=`;
    if (typeof read === 'string') {
      const problem = { place, expected: read, found: `'${word}'` };
      throw new InputError(property === undefined ? problem : { ...problem, property });
    }
    all = { ...all, ...read };
  }
  return all;
};

/** What somebody has written at `place`; InputError for a word that is none of these. */
export const parseKernelParameters = (text: string, place: string): DmaMemoryOptions =>
  parse(text, { place, mayHaveOthers: false });

/** What the boot loader left in a tree: `bootargs` of /chosen, of which others read the rest. */
export const treeParameters = (tree: DeviceTree): DmaMemoryOptions => {
  const text = tree.at('/chosen')?.string('bootargs') ?? '';
  return parse(text, { place: '/chosen', property: 'bootargs', mayHaveOthers: true });
};
