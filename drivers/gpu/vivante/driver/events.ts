import { bugOn } from '../../../base/kernel/oops';
import { EVENTS } from '../regs';

/** Whether a sequence number is later than another, round the end of 32 bits (fence_after). */
export const seqnoAfter = (one: number, other: number): boolean => ((one - other) | 0) > 0;

/**
 * The events of the front end: each has a bit in the interrupt register, and stands for one job that is
 * under way. They may end in another order than they were given: what is done is the latest of them.
 */
export class Events<Job extends { readonly seqno: number }> {
  /** Sequence number of the latest job that has ended. */
  completed = 0;
  readonly #jobs: (Job | null)[] = Array<Job | null>(EVENTS).fill(null);

  /** Events that stand for a job. */
  get inUse(): number {
    return this.#jobs.filter(job => job !== null).length;
  }

  get hasFree(): boolean {
    return this.#jobs.includes(null);
  }

  /** Jobs under way, the earliest first. */
  get pending(): readonly Job[] {
    return this.#jobs
      .filter(job => job !== null)
      .sort((one, other) => (seqnoAfter(one.seqno, other.seqno) ? 1 : -1));
  }

  /** The event that a job has from now on. The caller has seen that one is free. */
  give(job: Job): number {
    const event = this.#jobs.indexOf(null);
    bugOn(event < 0, 'no event is free');
    this.#jobs[event] = job;
    return event;
  }

  /** The job whose event came, which is over; null: nobody has it. */
  take(event: number): Job | null {
    const job = this.#jobs[event] ?? null;
    if (job === null) return null;
    this.#jobs[event] = null;
    if (seqnoAfter(job.seqno, this.completed)) this.completed = job.seqno;
    return job;
  }

  /** After a reset: no event comes any more. The jobs that were under way, the earliest first. */
  takeAll(): readonly Job[] {
    const { pending } = this;
    this.#jobs.fill(null);
    return pending;
  }
}
