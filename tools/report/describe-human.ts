import { hex } from '../../drivers/base/types/address';
import type { ReservedMem } from '../../drivers/of/reserved-mem';
import type { Board } from '../board/open';
import { notesOf } from '../board/open';
import { cachesOf, describeDma, isDefaultPool } from '../../machines/describe';
import type { DescribedDma } from '../../machines/describe';
import type { CachePlan, CpuPlan, UnmodelledCache } from '../../machines/plan-cpus';
import type { DevicePlan, DeviceStatus } from '../../machines/plan-devices';
import type { MachinePlan } from '../../machines/plan';
import type { QuirkOutcome } from '../../machines/quirks';
import { table } from './table';
import { bytes, paragraph, plural, printable } from './text';
import type { Paint } from './text';

/** A machine for a person: what was made of its tree, and where each fact is from. */
export const describeHuman = (
  board: Board,
  plan: MachinePlan,
  paint: Paint,
  width: number,
): string => {
  const sections: readonly (readonly [title: string, lines: readonly string[]])[] = [
    [printable(plan.model), headLines(board, plan, width)],
    ['CPUs and caches', cpuLines(plan, width)],
    ['Memory', memoryLines(plan, width)],
    ['Reserved memory', reservedLines(plan, width)],
    [countDevices(plan.devices), []],
    ['Bus masters, by the way in which they reach memory', masterLines(plan, width)],
    ['Quirks', quirkLines(plan, width)],
    ['Notes', notesOf(board, plan).flatMap(note => paragraph('  - ', printable(note), width))],
  ];
  return sections
    .filter(([title, lines]) => lines.length > 0 || title === countDevices(plan.devices))
    .map(([title, lines]) => `${[paint('bold', title), ...markAssumed(lines, paint)].join('\n')}\n`)
    .join('\n');
};

const markAssumed = (lines: readonly string[], paint: Paint): string[] =>
  lines.map(line => line.replace(/\*assumed\*/g, word => paint('yellow', word)));

/** A source as the tables have it: what nobody has looked up stands out. */
const sourceOf = (from: string): string => printable(from).replace(/\bassumed\b/, '*assumed*');

const headLines = ({ source, hash }: Board, plan: MachinePlan, width: number): string[] => {
  const rows = [
    ['compatible', plan.compatible.map(printable).join(', ') || 'none'],
    ['source', printable(source)],
    ['sha256', hash],
  ];
  return table(rows, { width, indent: 2 });
};

const cpuLines = (plan: MachinePlan, width: number): string[] =>
  groupCpus(plan).flatMap(({ cpus, first }) => {
    const title = `${cpus.length} × ${first.core.name}`;
    const paths = cpus.flatMap(({ path }) => (path === null ? [] : [printable(path)]));
    const origin = [...paths, `(${sourceOf(first.coreFrom)})`].join(' ');
    const caches = [...cachesOf(first, plan).map(cacheRow), ...first.unmodelled.map(unmodelledRow)];
    return [
      ...paragraph(`  ${title}  `, origin, width),
      ...table(caches, { width, indent: 4, right: [2, 3, 4] }),
    ];
  });

/** CPUs that are alike in everything that is shown. */
const groupCpus = (
  plan: MachinePlan,
): { readonly first: CpuPlan; readonly cpus: readonly CpuPlan[] }[] => {
  const groups = new Map<string, CpuPlan[]>();
  for (const cpu of plan.cpus) {
    // A cache is described by the node of each CPU; what differs by that only is alike.
    const caches = cachesOf(cpu, plan).map(({ from, ...rest }) => ({
      ...rest,
      from: cpu.path === null ? from : from.replace(cpu.path, 'cpu'),
    }));
    const beyond = cpu.unmodelled.map(({ level, size, ways, line }) => [level, size, ways, line]);
    const key = JSON.stringify([cpu.core.name, cpu.coreFrom, caches, beyond]);
    groups.set(key, [...(groups.get(key) ?? []), cpu]);
  }
  return [...groups.values()].flatMap(cpus => {
    const [first] = cpus;
    return first === undefined ? [] : [{ first, cpus }];
  });
};

const cacheRow = ({ level, type, geometry, indexing, from }: CachePlan): string[] => [
  `L${level}`,
  type,
  bytes(BigInt(geometry.size)),
  `${geometry.ways}-way`,
  `${geometry.line}-byte lines`,
  indexing.toUpperCase(),
  sourceOf(from),
];

const unmodelledRow = ({ level, size, ways, line, from }: UnmodelledCache): string[] => [
  `L${level}`,
  'unified',
  size === null ? '' : bytes(BigInt(size)),
  ways === null ? '' : `${ways}-way`,
  line === null ? '' : `${line}-byte lines`,
  '',
  `not modelled, ${sourceOf(from)}`,
];

const memoryLines = ({ memory }: MachinePlan, width: number): string[] => {
  const rows = memory.written.map(({ base, size, from }) => [
    hex(base),
    bytes(size),
    sourceOf(from),
  ]);
  return table(rows, { width, indent: 2, right: [0, 1] });
};

const reservedLines = (plan: MachinePlan, width: number): string[] => {
  const rows = plan.memory.reserved.regions.map(region => [
    hex(region.base),
    bytes(region.size),
    [region.kind, ...defaultOf(region, plan)].join(', '),
    printable(region.node.path),
  ]);
  return table(rows, { width, indent: 2, right: [0, 1] });
};

const defaultOf = (region: ReservedMem, plan: MachinePlan): string[] => {
  if (isDefaultPool(region, plan)) return ['default'];
  return region.dmaDefault ? ['default only without an MMU'] : [];
};

const STATUS: Readonly<Record<DeviceStatus, string>> = {
  modelled: 'modelled',
  'generic-master': 'generic masters',
  inert: 'inert',
};

/** `86 devices: 9 modelled, 31 generic masters, 46 inert` */
const countDevices = (devices: readonly DevicePlan[]): string => {
  const parts = (['modelled', 'generic-master', 'inert'] as const).map(status => {
    const count = devices.filter(device => device.status === status).length;
    return `${count} ${STATUS[status]}`;
  });
  return `${plural(devices.length, 'device')}: ${parts.join(', ')}`;
};

/** Of more masters alike, the others are counted; the JSON form has them all. */
const MOST_SHOWN = 6;

const masterLines = (plan: MachinePlan, width: number): string[] => {
  const groups = new Map<string, { alone: string; members: DevicePlan[] }>();
  for (const device of plan.devices) {
    if (device.status === 'inert' || (device.status === 'modelled' && device.hints.length === 0)) {
      continue;
    }
    // What matters of a PCI host is what the functions behind it get.
    const facts = describeDma(device.function ?? device.effective, plan);
    const label = dmaLabel({ ...facts, from: ownSource(facts.from, device.device.node.path) });
    const group = groups.get(label) ?? { alone: dmaLabel(facts), members: [] };
    group.members.push(device);
    groups.set(label, group);
  }
  return [...groups].flatMap(([shared, { alone, members }]) => {
    const label = members.length === 1 ? alone : shared;
    const shown = members.slice(0, MOST_SHOWN).map(({ device }) => printable(device.node.path));
    const more = members.length - shown.length;
    const rest = more === 0 ? '' : ` and ${more} more`;
    return [
      ...paragraph(`  ${String(members.length).padStart(3)}  `, printable(label), width),
      ...paragraph('         ', `${shown.join(', ')}${rest}`, width),
    ];
  });
};

/** Alike for masters that differ only in that each has a property of its own. */
const ownSource = (from: string, path: string): string =>
  from
    .split(', ')
    .map(part => (part.startsWith(`${path}:`) ? `its ${part.slice(path.length + 1)}` : part))
    .join(', ');

const dmaLabel = (dma: DescribedDma): string => {
  const { coherent, iommus, domain, ranges, busDmaLimit, mask, from } = dma;
  const behind = [...new Set(iommus.map(({ path }) => path))].join(' and ');
  const facts = [
    coherent ? 'coherent' : 'non-coherent',
    ...(behind === '' ? [] : [`behind ${behind}`]),
    ...(domain === null ? [] : [`${domain} domain`]),
    ...ranges.map(({ dma, cpu, size }) => `${dma}→${cpu}+${size}`),
    busDmaLimit === null ? `mask ${mask}` : `bus limit ${busDmaLimit}`,
  ];
  return `${facts.join(', ')} (${from})`;
};

/** Those that are on and those that the user switched; of the others, the names. */
const quirkLines = ({ quirks }: MachinePlan, width: number): string[] => {
  const isTold = ({ applied, reason }: QuirkOutcome): boolean =>
    applied || reason.startsWith('asked for');
  const rows = quirks
    .filter(isTold)
    .map(({ name, applied, reason }) => [applied ? 'on' : 'off', name, sourceOf(reason)]);
  const others = quirks.filter(quirk => !isTold(quirk)).map(({ name }) => name);
  return [
    ...table(rows, { width, indent: 2 }),
    ...(others.length === 0 ? [] : paragraph('  off  ', others.join(', '), width)),
  ];
};
