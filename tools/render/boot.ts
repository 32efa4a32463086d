import type { Adversary } from '../../arch/arm/adversary/adversary';
import { RandomAdversary } from '../../arch/arm/adversary/random';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { InputError } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { COMPATIBLE } from '../../drivers/gpu/vivante/regs';
import { VivanteGpu } from '../../drivers/gpu/vivante/driver/gpu';
import type { CountedFinding } from '../../machines/finding-log';
import type { Machine } from '../../machines/machine';
import type { MachinePlan, PlanOptions } from '../../machines/plan';
import { overlayFile } from '../board/board-files';
import { openBoard, planRun } from '../board/open';
import { bootPlan } from '../run/job';
import { FrameMaker } from './frame';
import type { BarrierSwitch, Frame, FrameOptions } from './frame';
import type { Scene } from './scene';

/** A board with a GPU. */
export interface RenderBoard {
  readonly source: string;
  readonly plan: MachinePlan;
}

/** A booted board, its GPU, and what keeps barriers from the driver. */
export interface RenderMachine {
  readonly machine: Machine;
  readonly gpu: VivanteGpu;
  readonly barriers: BarrierSwitch;
}

/** What caches do unasked: by chance, or everything. */
export type RenderSeed = number | 'all';

/** A frame, and what the checker found while it was drawn: nothing unless it was drawn over all. */
export interface DrawnFrame extends Frame {
  readonly findings: readonly CountedFinding[];
}

/** The board, with the overlay that adds a GPU if it has none. */
export const openWithGpu = (
  name: string,
  overlays: readonly string[],
  options: PlanOptions,
): RenderBoard => {
  const board = openBoard(name, overlays);
  const plan = planRun(board, options);
  if (hasGpu(plan)) return { source: board.source, plan };
  const overlay = `gpu-${name}`;
  if (overlayFile(overlay) === null) throw withoutGpu(board.source);
  const patched = openBoard(name, [...overlays, overlay]);
  return { source: patched.source, plan: planRun(patched, options) };
};

const hasGpu = ({ devices }: MachinePlan): boolean =>
  devices.some(({ device }) => device.compatible.includes(COMPATIBLE));

const withoutGpu = (place: string): InputError =>
  new InputError({
    place,
    expected: `a board with a ${COMPATIBLE}, or an overlay that adds one (--overlay)`,
    found: 'none',
  });

/** InputError if no driver has taken the GPU. */
export const bootToDraw = (board: RenderBoard, seed: RenderSeed): RenderMachine => {
  const random = new Random(seed === 'all' ? 1 : seed);
  const adversary: Adversary | 'all' =
    seed === 'all' ? 'all' : new RandomAdversary(random.fork('adversary'));
  const barriers = { isOff: false };
  const machine = bootPlan(board.source, board.plan, {
    ...{ adversary, random, timing: 'latest', streaming: ALL_STEPS },
    gate: { isCarriedOut: layer => !(barriers.isOff && layer === 'barrier') },
  });
  const gpu = machine.devices.map(({ bound }) => bound).find(bound => bound instanceof VivanteGpu);
  if (gpu === undefined) throw withoutGpu(board.source);
  return { machine, gpu, barriers };
};

/** Draws a scene, with a mistake or none. */
export const draw = (
  on: RenderMachine,
  scene: Scene,
  how: Pick<FrameOptions, 'bug' | 'isSplit'>,
): DrawnFrame => {
  const frame = new FrameMaker(scene, { ...on, ...how }).run();
  return { ...frame, findings: on.machine.findings?.take() ?? [] };
};
