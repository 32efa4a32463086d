import { EDEADLK, EINTR, ENOSPC } from '../../base/kernel/errno';
import { Mutex } from '../../base/kernel/mutex';
import { inFrame, preemptionPoint } from '../../base/kernel/task';
import type { Digestible, Sleeping } from '../../base/kernel/task';
import { waitEventInterruptible } from '../../base/kernel/wait-queue';
import { anyMayGo } from './evict';
import type { MayGo } from './evict';
import { Reservation, bindEvicting, victimsOf } from './reserve';
import type { ExecEntry, Submission } from './submission';
import { THRASHING } from './vma';
import type { Ticket } from './vma';

/*
 * How clients that share address space get all of what a job needs resident at once. Some can starve
 * each other for ever though each could be served: that is what they are here to show.
 */

/** A way to make all objects of a submission resident: 0 with all of them pinned, or a negated errno. */
export interface ReservePolicy extends Digestible {
  readonly name: PolicyName;
  reserve(submission: Submission): Sleeping<number>;
}

/** How long somebody who lost waits before the next try: `random-backoff` only. */
export type Backoff = () => Sleeping<void>;

/** What to do where too little may be evicted: try again from here, from the start, or give up. */
type OnFull = (submission: Submission, entry: ExecEntry, mayGo: MayGo) => Sleeping<number>;
const AGAIN = 0;
const FROM_START = 1;

interface Incremental {
  /** Keeps what it has bound by a pin, from the moment on. */
  readonly pins?: boolean;
  /** Keeps it by its ticket. */
  readonly claims?: boolean;
  /** After each binding it looks from the first object on, as a GPU does that repeats what faulted. */
  readonly replays?: boolean;
  readonly mayGo?: (submission: Submission) => MayGo;
  /** Told before each binding. */
  readonly binds?: (submission: Submission) => void;
  readonly onFull?: OnFull;
}

/**
 * One object after another, each where the stream refers to it, until all are resident at once. Between
 * two bindings, and between the last and the job, others may come.
 */
function* bindEach(s: Submission, rules: Incremental): Sleeping<number> {
  if (!s.fitsAlone) return -ENOSPC;
  const isFault = rules.replays === true;
  let isFresh = true;
  for (let i = 0; ;) {
    const entry = s.entries[i];
    if (entry === undefined) {
      if (isFresh) break;
      yield* preemptionPoint('execbuf_submit');
      isFresh = true;
      i = 0;
    } else if (s.vm.fits(entry.vma, entry.placing)) {
      keep(s, rules, entry);
      i++;
    } else {
      const place = i;
      const at = isFault ? 'gpu_fault' : 'i915_vma_pin';
      if (isFault || !isFresh) yield* preemptionPoint(at, () => [place]);
      const next = yield* bindNext(s, rules, entry, place);
      if (next < 0) return next;
      isFresh = isFault;
      i = isFault ? 0 : next;
    }
  }
  s.pinResident();
  return 0;
}

/** What of an object that is bound now keeps others from evicting it. */
const keep = (s: Submission, { claims, pins }: Incremental, { vma }: ExecEntry): void => {
  if (claims === true) s.claim(vma);
  if (pins === true && !s.isPinned(vma)) s.pin(vma);
};

/** Binds the entry at `place`: the place to go on from, or a negated errno. */
function* bindNext(
  s: Submission,
  rules: Incremental,
  entry: ExecEntry,
  place: number,
): Sleeping<number> {
  const { mayGo: rule, binds, replays, onFull = waitForRoom } = rules;
  binds?.(s);
  const mayGo = rule?.(s) ?? anyMayGo;
  const error = yield* bindEvicting(s.vm, entry, { mayGo, mayWait: true });
  if (error === 0) {
    keep(s, rules, entry);
    if (replays === true) yield* preemptionPoint('gpu_replay');
    return place + 1;
  }
  if (error !== -ENOSPC) return error;
  const result = yield* inFrame('i915_vma_pin', () => [place], onFull(s, entry, mayGo));
  return result === AGAIN ? place : result === FROM_START ? 0 : result;
}

/** Sleeps until somebody gives up enough: an object of its own, a pin, a lock or a claim. */
function* waitForRoom(s: Submission, { vma, placing }: ExecEntry, mayGo: MayGo): Sleeping<number> {
  const hasRoom = (): boolean =>
    vma.isBound ||
    s.vm.hasRoom(placing) ||
    victimsOf(s.vm, placing, { mayGo, mayWait: true }).error === 0;
  const options = { at: 'wait_for_room' };
  const error = yield* waitEventInterruptible(s.vm.room, hasRoom, options);
  return error === 0 ? AGAIN : -EINTR;
}

/** Gives up all it has pinned, and begins again. */
const releaseAll = (backoff: Backoff): OnFull =>
  function* (s) {
    s.unpinAll();
    yield* backoff();
    return FROM_START;
  };

/** Whatever nobody claims, and what a younger ticket claims. */
const ofYounger =
  ({ ticket }: Submission): MayGo =>
  vma => {
    const { oldestClaim } = vma;
    return oldestClaim === null || oldestClaim.isYoungerThan(ticket);
  };

/** What no operation waits for; the operation that waits longest may take what others wait for. */
const heldForOthers =
  (waiting: ReadonlySet<Ticket>) =>
  ({ ticket }: Submission): MayGo =>
  ({ claims }) => {
    if (claims.size === 0) return true;
    return (
      !claims.has(ticket) &&
      [...waiting].every(other => other === ticket || other.isYoungerThan(ticket))
    );
  };

/** Locks all, then binds all, and begins again where a lock would deadlock. */
function* allOrNothing(s: Submission): Sleeping<number> {
  for (;;) {
    const locked = yield* s.lockAll();
    if (locked !== 0) return locked;
    const reservation = new Reservation(s);
    const error = yield* reservation.reserve();
    const { contended } = reservation;
    if (error !== -EDEADLK || contended === null) return error;
    s.unpinAll();
    const interrupted = yield* s.backOff(contended.object);
    if (interrupted !== 0) return interrupted;
  }
}

/** The first touch that faults has all of the operation bound; what is gone at its replay faults again. */
function* bindOnFault(s: Submission): Sleeping<number> {
  if (!s.fitsAlone) return -ENOSPC;
  while (!s.pinResident()) {
    yield* preemptionPoint('gpu_fault');
    // Not its own, of which the last would push out the first.
    const mayGo: MayGo = vma => !s.entries.some(entry => entry.vma === vma);
    for (const [i, entry] of s.entries.entries()) {
      const error = yield* bindEvicting(s.vm, entry, { mayGo, mayWait: true });
      if (error !== 0 && error !== -ENOSPC) return error;
      if (error === -ENOSPC) {
        const waited = yield* inFrame('gpu_fault', () => [i], waitForRoom(s, entry, mayGo));
        if (waited < 0) return waited;
        break;
      }
    }
    yield* preemptionPoint('gpu_replay');
  }
  return 0;
}

/** What the submissions of one address space share, under one policy. */
export class PolicyState implements Digestible {
  /** struct_mutex. */
  readonly lock = new Mutex('struct_mutex');
  /** The submission whose objects stay where they are, as it was thrashing; null: none. */
  favoured: Ticket | null = null;
  /** Operations that the GPU could not do yet. */
  readonly waiting = new Set<Ticket>();

  digest(): string {
    const rank = (ticket: Ticket): number => ticket.wwClass.rankOf(ticket);
    const favoured = this.favoured === null ? '' : rank(this.favoured);
    return `${this.lock.digest()}/${favoured}/${[...this.waiting].map(rank).sort().join()}`;
  }
}

type Reserve = (submission: Submission) => Sleeping<number>;

/** Each policy, and what it is for, in the order in which they are told of. */
export const POLICIES = {
  'incremental-lru': 'each object is bound where it is referred to; the longest unused goes',
  'pin-wait': 'what is bound is pinned; who finds no room waits',
  'release-retry': 'what is bound is pinned; who finds no room gives all up and begins again',
  'random-backoff': 'the same, after a time left to chance',
  'oldest-ticket':
    'only what a younger ticket has may be evicted; a ticket is kept until its job runs',
  'all-or-nothing': 'all objects are locked (ww_mutex), then all are bound, in passes 0 to 3',
  'global-lock': 'one mutex around each submission',
  'throttle-pin': 'who has lost an object three times keeps what it has, and the others wait',
  'fault-lru': 'the GPU faults for each object, and repeats; the longest unused goes',
  'fault-batch': 'one fault has all objects of the operation bound',
  'min-residency': 'what a fault has bound stays until its operation is done; the oldest is exempt',
} as const;

export type PolicyName = keyof typeof POLICIES;

/** A policy for the submissions of one address space, which share its state. */
export class AddressPolicy implements ReservePolicy {
  readonly name: PolicyName;
  readonly state = new PolicyState();
  readonly #reserve: Reserve;

  constructor(name: PolicyName, backoff: Backoff) {
    this.name = name;
    this.#reserve = this.#rulesOf(name, backoff);
  }

  reserve(submission: Submission): Sleeping<number> {
    return this.#reserve(submission);
  }

  digest(): string {
    return this.state.digest();
  }

  #rulesOf(name: PolicyName, backoff: Backoff): Reserve {
    const each = (rules: Incremental) => (s: Submission) => bindEach(s, rules);
    const now: Backoff = () => preemptionPoint('retry');
    switch (name) {
      case 'incremental-lru':
        return each({});
      case 'pin-wait':
        return each({ pins: true });
      case 'release-retry':
        return each({ pins: true, onFull: releaseAll(now) });
      case 'random-backoff':
        return each({ pins: true, onFull: releaseAll(backoff) });
      case 'oldest-ticket':
        return each({ claims: true, mayGo: ofYounger });
      case 'all-or-nothing':
        return allOrNothing;
      case 'global-lock':
        return s => this.#exclusively(s);
      case 'throttle-pin':
        return each({
          claims: true,
          mayGo: () => this.#unfavoured(),
          binds: s => {
            this.#favour(s);
          },
        });
      case 'fault-lru':
        return each({ replays: true });
      case 'fault-batch':
        return bindOnFault;
      case 'min-residency':
        return s => this.#holding(s);
    }
  }

  *#exclusively(s: Submission): Sleeping<number> {
    const error = yield* this.state.lock.lockInterruptible();
    if (error !== 0) return error;
    s.atEnd.push(() => {
      this.state.lock.unlock();
    });
    return yield* bindEach(s, {});
  }

  *#holding(s: Submission): Sleeping<number> {
    const { waiting } = this.state;
    waiting.add(s.ticket);
    s.atEnd.push(() => {
      waiting.delete(s.ticket);
    });
    return yield* bindEach(s, { claims: true, replays: true, mayGo: heldForOthers(waiting) });
  }

  /** Who thrashes is favoured from now on, unless somebody else is. */
  #favour({ entries, ticket, atEnd }: Submission): void {
    const isThrashing = entries.some(
      ({ vma }) => vma.claims.has(ticket) && vma.losses >= THRASHING,
    );
    if (!isThrashing || this.state.favoured !== null) return;
    this.state.favoured = ticket;
    atEnd.push(() => {
      this.state.favoured = null;
    });
  }

  #unfavoured(): MayGo {
    return ({ claims }) => {
      const { favoured } = this.state;
      return favoured === null || !claims.has(favoured);
    };
  }
}
