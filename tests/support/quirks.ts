import type { DeviceTree } from '../../drivers/of/tree';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import type { DevicePlan } from '../../machines/plan-devices';
import type { QuirkChoice } from '../../machines/quirks';
import { dt } from './dt';
import type { DtLiteral } from './dt';

/* Small machines, planned with quirks switched on and off as on the command line. */

const choices = (...texts: string[]): QuirkChoice[] =>
  texts.map(text => ({ name: text.slice(1), on: text.startsWith('+') }));

/** `+name` and `-name` as after --quirk=. */
export const plan = (tree: DeviceTree, ...quirks: string[]): MachinePlan =>
  planMachine(tree, { memory: null, quirks: choices(...quirks) });

/** Names of the quirks that a machine has. */
export const applied = ({ quirks }: MachinePlan): string[] =>
  quirks.filter(quirk => quirk.applied).map(({ name }) => name);

/** The plan of the device at a path that the test knows to exist. */
export const deviceAt = ({ devices }: MachinePlan, path: string): DevicePlan => {
  const device = devices.find(({ device: { node } }) => node.path === path);
  if (device === undefined) throw new Error(`no device ${path}`);
  return device;
};

/** A small machine: cores, 256 MiB of RAM, and a flat bus. */
export const machine = (
  compatible: readonly string[],
  cores: readonly string[],
  ramBase: bigint,
  soc: DtLiteral,
): DeviceTree =>
  dt({
    compatible,
    '#address-cells': [2],
    '#size-cells': [1],
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      ...Object.fromEntries(
        cores.map((core, n) => [`cpu@${n}`, { device_type: 'cpu', compatible: core, reg: [n] }]),
      ),
    },
    memory: { device_type: 'memory', reg: [ramBase, 0x1000_0000] },
    soc: {
      compatible: 'simple-bus',
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: [0, 0, 0, 0xffff_ffff],
      ...soc,
    },
  });
