import { invariant } from '../../../base/types/errors';
import type { ControlStates } from './control-states';
import type { Handed } from './front-end';
import type { Lane } from './pipeline';
import type { DrawCommand, UnitWork } from './unit';

/** Whom the front end hands what it takes from the stream: engines, and its own states. */
export class Dispatch {
  readonly #states: ControlStates;
  /** By byte offset of a state, and by opcode of a draw. */
  readonly #laneOfState = new Map<number, Lane>();
  readonly #laneOfDraw = new Map<number, Lane>();

  constructor(lanes: readonly Lane[], states: ControlStates) {
    this.#states = states;
    for (const lane of lanes) {
      for (const { at } of lane.unit.states.layout.instances) {
        const other = this.#laneOfState.get(at)?.unit.name ?? '';
        invariant(other === '', `state ${at} is of ${other} and ${lane.unit.name}`);
        this.#laneOfState.set(at, lane);
      }
      for (const opcode of lane.unit.draws) this.#laneOfDraw.set(opcode, lane);
    }
  }

  load(offset: number, value: number): Handed {
    const lane = this.#laneOfState.get(offset);
    if (lane === undefined) return this.#states.load(offset, value);
    if (lane.isFull) return 'full';
    const loaded = lane.unit.load(offset, value);
    return loaded === 'loaded' ? 'taken' : give(lane, loaded);
  }

  draw(draw: DrawCommand): Handed {
    const lane = this.#laneOfDraw.get(draw.opcode);
    if (lane === undefined) return 'illegal';
    return lane.isFull ? 'full' : give(lane, lane.unit.draw(draw));
  }
}

const give = (lane: Lane, work: UnitWork | 'illegal'): Handed => {
  if (work === 'illegal') return work;
  lane.add(work);
  return 'taken';
};
