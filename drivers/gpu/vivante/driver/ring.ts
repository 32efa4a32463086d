import type { DriverServices } from '../../../base/kernel/device';
import { QWORD, Recipient } from '../regs/command-stream';
import { GC_STATES } from '../regs/states';
import type { CommandBuffer } from './command-pool';
import { CommandWriter, linkHeader } from './commands';

/*
 * The ring (etnaviv_buffer.c): the front end goes round a WAIT and a LINK back to it until the WAIT
 * becomes a LINK elsewhere. There is no doorbell: two stores into memory are all that starts a job.
 */

const { MMUV2_CONFIGURATION, SEMAPHORE_TOKEN, EVENT, FLUSH_CACHE, X_AS_SELECT } =
  GC_STATES.registers;

/** Cycles of a WAIT: long enough not to saturate the bus, short enough for a quick start. */
export const WAIT_CYCLES = 200;

/** 64-bit words of a WAIT and its LINK. */
const WAIT_LINK = 2;
/** Of what follows a job: the flush, two times a semaphore and its stall, the event, WAIT and LINK. */
const RETURN = 1 + 2 * 2 + 1 + WAIT_LINK;
/** Of what comes before one: address space, root, flush, a semaphore and its stall, LINK. */
const PRELUDE = 3 + 2 + 1;

/** What is to become of the MMU before a job begins. */
export interface MmuWork {
  /** The root of the tables that the job has, if the front end is not at it; null: it is. */
  readonly table: number | null;
  /** Whether what is kept of the tables is to be forgotten. */
  readonly flush: boolean;
  /** Which of the hardware's address spaces the job runs in (X_AS). */
  readonly space?: number;
}

/** A job's commands, with room for a LINK behind them. */
export interface RingJob {
  /** Where the front end has the commands. */
  readonly va: number;
  readonly writer: CommandWriter;
  readonly event: number;
  readonly mmu: MmuWork;
}

/** What a driver could forget, for whoever looks whether that is found. */
export type RingStep = 'cache flush' | 'TLB flush' | 'barriers of the kick';

/** The ring of one GPU. */
export class Ring {
  /** What is left out; null: nothing. */
  forgets: RingStep | null = null;
  readonly #services: DriverServices;
  readonly #buffer: CommandBuffer;
  readonly #va: number;
  readonly #writer: CommandWriter;
  /** Of the WAIT that the front end is at, or comes to. */
  #waitLink = 0;

  /** A page of commands, which the front end has at `va`. */
  constructor(services: DriverServices, buffer: CommandBuffer, va: number) {
    this.#services = services;
    this.#buffer = buffer;
    this.#va = va;
    this.#writer = new CommandWriter(services.io, buffer.cpuAddr, buffer.size);
  }

  /** Where the ring is in memory. */
  get buffer(): CommandBuffer {
    return this.#buffer;
  }

  /** The loop of nothing to do: how many 64-bit words the front end is to be started with. */
  init(): number {
    this.#writer.used = 0;
    this.#waitLoop();
    this.#services.barriers.mb();
    return WAIT_LINK;
  }

  /** Adds a job and lets the front end at it. Jobs that are under way fill at most the ring. */
  queue({ va, writer, event, mmu }: RingJob): void {
    const before = this.#waitLink;
    const needsMmu = mmu.flush || mmu.table !== null;
    const prelude = needsMmu ? this.#reserve(PRELUDE + RETURN) : 0;
    const jobWords = writer.qwords + 1;
    if (needsMmu) {
      this.#mmuWork(mmu);
      this.#writer.link(jobWords, va);
    }
    const back = needsMmu ? this.#here : this.#reserve(RETURN);
    writer.link(RETURN, back);
    this.#finish(event);
    if (needsMmu) this.#kick(before, PRELUDE, prelude);
    else this.#kick(before, jobWords, va);
  }

  /** Ends the loop: the front end stops there and is idle (etnaviv_buffer_end). */
  end(): void {
    const target = this.#reserve(1);
    this.#writer.end();
    this.#kick(this.#waitLink, 1, target);
  }

  get #here(): number {
    return this.#va + this.#writer.used;
  }

  /** So many 64-bit words in one piece: at the beginning if the rest is too short. */
  #reserve(qwords: number): number {
    if (this.#writer.used + qwords * QWORD > this.#buffer.size) this.#writer.used = 0;
    return this.#here;
  }

  #waitLoop(): void {
    this.#waitLink = this.#writer.used;
    const here = this.#here;
    this.#writer.wait(WAIT_CYCLES);
    this.#writer.link(WAIT_LINK, here);
  }

  /** In the stream, and so in order with the jobs: once, however many mappings have changed. */
  #mmuWork({ table, flush, space = 0 }: MmuWork): void {
    const { MODE_MASK, ADDRESS_MASK, FLUSH, FLUSH_MASK } = MMUV2_CONFIGURATION.fields;
    const root = (table ?? 0) + FLUSH_MASK.at(1) + (table === null ? ADDRESS_MASK.at(1) : 0);
    this.#writer.state(X_AS_SELECT.at, X_AS_SELECT.fields.INDEX.at(space));
    this.#writer.state(MMUV2_CONFIGURATION.at, root + MODE_MASK.at(1));
    const isFlushed = flush && this.forgets !== 'TLB flush';
    const forget = FLUSH.at(isFlushed ? 1 : 0) + ADDRESS_MASK.at(1) + MODE_MASK.at(1);
    this.#writer.state(MMUV2_CONFIGURATION.at, forget);
    this.#writer.stall(SEMAPHORE_TOKEN.at, Recipient.FE, Recipient.PE);
  }

  #finish(event: number): void {
    const { COLOR, DEPTH, PE2D, TEXTURE } = FLUSH_CACHE.fields;
    const caches = COLOR.at(1) + DEPTH.at(1) + PE2D.at(1) + TEXTURE.at(1);
    this.#writer.state(FLUSH_CACHE.at, this.forgets === 'cache flush' ? 0 : caches);
    this.#writer.stall(SEMAPHORE_TOKEN.at, Recipient.FE, Recipient.PE);
    this.#writer.stall(SEMAPHORE_TOKEN.at, Recipient.FE, Recipient.DE);
    const { EVENT_ID, FROM_PE } = EVENT.fields;
    this.#writer.state(EVENT.at, EVENT_ID.at(event) + FROM_PE.at(1));
    this.#waitLoop();
  }

  /**
   * The WAIT at `offset` becomes a LINK (etnaviv_buffer_replace_wait). The front end may look at any
   * moment: where it is to go stands there before the word that sends it, and all that it is to find
   * before both.
   */
  #kick(offset: number, prefetch: number, target: number): void {
    const { barriers } = this.#services;
    this.#writer.patch(offset + 4, target);
    if (this.forgets !== 'barriers of the kick') barriers.mb();
    this.#writer.patch(offset, linkHeader(prefetch));
    if (this.forgets !== 'barriers of the kick') barriers.mb();
  }
}
