import type { Sleeping } from '../../../drivers/base/kernel/task';
import { cpuAddr } from '../../../drivers/base/types/address';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { RULES } from '../../../drivers/base/types/rules';
import { vivanteDriver } from '../../../drivers/gpu/vivante/driver';
import type { Caching } from '../../../drivers/gpu/vivante/driver/backing';
import { Prep } from '../../../drivers/gpu/vivante/driver/gem';
import type { VivanteGpu } from '../../../drivers/gpu/vivante/driver/gpu';
import { RenderClient, waitFor } from '../../../drivers/gpu/vivante/driver/render-client';
import type { ClientOptions } from '../../../drivers/gpu/vivante/driver/render-client';
import { RenderDevice } from '../../../drivers/gpu/vivante/driver/render-device';
import { FaultingClient } from '../../../drivers/gpu/vivante/driver/render-fault';
import type { FaultService } from '../../../drivers/gpu/vivante/driver/render-fault';
import type { RenderObject, RingFence } from '../../../drivers/gpu/vivante/driver/render-object';
import type { UserStream } from '../../../drivers/gpu/vivante/driver/validate';
import type { ExecObject, ExecEntry } from '../../../drivers/gpu/drm/submission';
import { boundBy } from '../../../machines/bound';
import type { Machine } from '../../../machines/machine';
import { AbortCase } from '../suite';
import type { Case, CaseContext } from '../suite';

/** A hang is found sooner than 500 ms, of which each is a long time on a bench. */
const HANG_LIMIT = 200_000;

/** A stream that nobody changes. */
export const streamOf = (words: readonly number[]): UserStream => ({
  length: words.length,
  word: index => words[index] ?? 0,
});

/** What a submission is asked for, beside its words. */
export interface Submitted {
  readonly objects: readonly ExecObject<RenderObject>[];
  readonly relocate?: (entries: readonly ExecEntry<RenderObject>[]) => number;
}

/** Clients of the first GPU, their objects and their jobs. */
export class RenderBench {
  readonly machine: Machine;
  readonly gpu: VivanteGpu;
  readonly device: RenderDevice;
  readonly #objects: RenderObject[] = [];
  readonly #clients: (RenderClient | FaultingClient)[] = [];

  constructor(machine: Machine) {
    const [gpu] = boundBy(machine, vivanteDriver);
    if (gpu === undefined) throw new AbortCase('no GPU');
    this.machine = machine;
    this.gpu = gpu;
    this.device = new RenderDevice(gpu, machine.kernel.timers, HANG_LIMIT);
  }

  client(name: string, options: ClientOptions = {}): RenderClient {
    const client = RenderClient.make(this.device, name, options);
    if (typeof client === 'number') throw new AbortCase('an address space');
    this.#clients.push(client);
    return client;
  }

  faultingClient(name: string, service: FaultService): FaultingClient {
    const client = FaultingClient.make(this.device, name, service);
    if (typeof client === 'number') throw new AbortCase('an address space');
    this.#clients.push(client);
    return client;
  }

  object(size = PAGE_SIZE, caching: Caching = 'cached'): RenderObject {
    const object = this.device.createObject({ size, placement: 'pages', caching });
    if (typeof object === 'number') throw new AbortCase('an object');
    this.#objects.push(object);
    return object;
  }

  /** Runs one that may sleep to its end. */
  run<Value>(body: Sleeping<Value>): Value {
    return this.device.run(body);
  }

  /** Submits, and what came of it: the fence, or a negative errno. */
  submit(client: RenderClient, words: readonly number[], request: Submitted): RingFence | number {
    const result = this.run(client.submit(streamOf(words), request));
    return result.fence ?? result.error;
  }

  /** Submits and waits: 0, or the error of either. */
  exec(client: RenderClient, words: readonly number[], request: Submitted): number {
    const fence = this.submit(client, words, request);
    return typeof fence === 'number' ? fence : this.wait(fence);
  }

  wait(fence: RingFence): number {
    return this.run(waitFor(fence));
  }

  /** The CPU looks at an object or writes it, properly. */
  access<Value>(object: RenderObject, op: number, body: (address: CpuAddr) => Value): Value {
    const address = object.gem.vmap();
    if (address < 0) throw new AbortCase('a mapping of an object');
    const left = this.run(object.resv.waitTimeout('read', false, null));
    if (left < 0) throw new AbortCase('an idle object');
    object.gem.beginCpuAccess(op);
    const value = body(cpuAddr(address));
    object.gem.endCpuAccess();
    object.gem.vunmap();
    return value;
  }

  read(object: RenderObject, offset: number): number {
    const { cpu } = this.machine.kernel;
    return this.access(object, Prep.Read, address => cpu.load32(address + offset) >>> 0);
  }

  write(object: RenderObject, offset: number, value: number): void {
    const { cpu } = this.machine.kernel;
    this.access(object, Prep.Read + Prep.Write, address => {
      cpu.store32(address + offset, value);
    });
  }

  /** A client has ended already. */
  forget(client: RenderClient): void {
    this.#clients.splice(this.#clients.indexOf(client), 1);
  }

  /** All clients end; objects stay. */
  endClients(): void {
    for (const client of this.#clients.splice(0)) {
      if (client.close() !== 0) throw new AbortCase('an idle GPU');
    }
  }

  /** Everything ends. Nothing is under way, or it hangs. */
  close(): void {
    this.endClients();
    this.device.free();
    for (const { gem } of this.#objects) gem.put();
  }
}

/** A case with clients of a GPU that ends with everything given back and no finding of its own. */
export const renderCase = (
  name: string,
  body: (t: CaseContext, bench: RenderBench) => void,
  unfit?: Case['unfit'],
): Case => ({
  name,
  ...(unfit === undefined ? {} : { unfit }),
  run: t => {
    const bench = new RenderBench(t.machine);
    body(t, bench);
    bench.close();
  },
});

/** Findings since the last look, without notes. */
export const findingsOf = (t: CaseContext): readonly string[] =>
  t.takeFindings().filter(rule => RULES[rule].severity !== 'note');
