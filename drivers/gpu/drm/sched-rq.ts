import type { Digestible } from '../../base/kernel/task';
import type { SchedEntity } from './sched-entity';
import type { SchedJob } from './sched-job';

/** Who is next: whose first job waits longest, or each in turn (drm_sched_policy). */
export type SchedPolicy = 'fifo' | 'round-robin';

/** The entities of one priority that have had jobs (struct drm_sched_rq). */
export class RunQueue<Job extends SchedJob> implements Digestible {
  readonly #policy: SchedPolicy;
  readonly #entities: SchedEntity<Job>[] = [];
  /** The one that was chosen last. */
  #current: SchedEntity<Job> | null = null;

  constructor(policy: SchedPolicy) {
    this.#policy = policy;
  }

  /** Once only, however often it becomes busy. */
  add(entity: SchedEntity<Job>): void {
    if (!this.#entities.includes(entity)) this.#entities.push(entity);
  }

  remove(entity: SchedEntity<Job>): void {
    const place = this.#entities.indexOf(entity);
    if (place >= 0) this.#entities.splice(place, 1);
    if (this.#current === entity) this.#current = null;
  }

  /**
   * The next with a job that waits for nothing; null: there is none. `no-room` if its job needs more
   * credits than there are: it stays the next, so that small jobs do not overtake it for ever.
   */
  select(room: number): SchedEntity<Job> | 'no-room' | null {
    const [next] = this.#inOrder().filter(entity => entity.isReady);
    if (next?.head === undefined) return null;
    if (next.head.credits > room) return 'no-room';
    this.#current = next;
    return next;
  }

  /** The entity of a context is guilty of a hang, if it is of those here. */
  blame(context: number): void {
    const entity = this.#entities.find(one => one.context === context);
    if (entity !== undefined && entity.guilty !== null) entity.guilty.isGuilty = true;
  }

  digest(): string {
    const at = this.#current === null ? -1 : this.#entities.indexOf(this.#current);
    const turn = this.#policy === 'round-robin' ? `${at}` : '';
    return `${turn}${this.#entities.map(entity => entity.digest()).join(' ')}`;
  }

  #inOrder(): SchedEntity<Job>[] {
    if (this.#policy === 'fifo') {
      const since = ({ head }: SchedEntity<Job>): number => head?.submittedAt ?? Infinity;
      return this.#entities.toSorted((a, b) => since(a) - since(b));
    }
    const after = this.#current === null ? 0 : this.#entities.indexOf(this.#current) + 1;
    return [...this.#entities.slice(after), ...this.#entities.slice(0, after)];
  }
}
