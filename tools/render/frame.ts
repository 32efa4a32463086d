import { DmaAttr } from '../../drivers/base/kernel/dma-mapping';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { cpuAddr, hex, offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { MIB, PAGE_SIZE, alignUp } from '../../drivers/base/types/bits';
import { BenchError } from '../../drivers/base/types/errors';
import { USER_START } from '../../drivers/gpu/vivante/driver/context';
import type { BackedObject, GpuContext } from '../../drivers/gpu/vivante/driver/context';
import { Prep } from '../../drivers/gpu/vivante/driver/gem';
import type { GemObject, GemRequest } from '../../drivers/gpu/vivante/driver/gem';
import type { VivanteGpu } from '../../drivers/gpu/vivante/driver/gpu';
import { copyStream, refusalOf } from '../../drivers/gpu/vivante/driver/validate';
import { SUPERTILE } from '../../drivers/gpu/vivante/regs/surface';
import type { Surface, SurfaceLayout } from '../../drivers/gpu/vivante/regs/surface';
import type { Machine } from '../../machines/machine';
import { DmaDirection, dmaMapPage } from '../../mm/dma-mapping-common';
import { pageToPhys } from '../../mm/page-alloc';
import type { BugName } from './bugs';
import { drawing, overlay, resolving } from './compose';
import type { PlacedScene } from './compose';
import { atlasSurface, atlasWords, textureSurface, textureWords, vertexBuffer } from './contents';
import type { Picture } from './png';
import type { Colour, Scene, TextureSpec } from './scene';
import { Stream } from './stream';

/** While it is set the kernel's barriers are left out. */
export interface BarrierSwitch {
  isOff: boolean;
}

/** What a frame is drawn with. */
export interface FrameOptions {
  readonly machine: Machine;
  readonly gpu: VivanteGpu;
  readonly bug: BugName | null;
  readonly barriers: BarrierSwitch;
  /** The frame as several jobs, between which pages of the target move; absent: where the bug asks for it. */
  readonly isSplit?: boolean;
}

/** What came of it. */
export interface Frame {
  readonly picture: Picture;
  /** What went wrong on the way. */
  readonly notes: readonly string[];
}

const { ToDevice } = DmaDirection;

const WORD = 4;
/** Bytes: of all cores at the least. */
const LINE = 32;
/** Of the CPU's other work: as much as the largest cache there is. */
const ELSEWHERE_ORDER = 8;
/** Of the picture before, where it can still be seen. */
const PREVIOUS: Colour = 0x8a2a7a;
/** What free pages are filled with (CONFIG_PAGE_POISONING). */
const POISON = 0xaaaa_aaaa;
const BYTE_4 = 2 ** 24;
/** The longest that a job may take, in simulated ns. */
const PATIENCE = 5_000_000;
/** Every so many pages of the target move. */
const MOVES_EACH = 3;
/** Of the GPU's addresses, from one object to the next. */
const APART = 4 * MIB;

/** Memory where the GPU has it. */
interface Placed {
  readonly va: number;
}

/** An object where the GPU has it. */
interface PlacedObject extends Placed {
  readonly object: GemObject;
}

/** What several jobs of one frame work on. */
interface Objects {
  readonly target: PlacedObject;
  readonly scanout: GemObject;
}

/** Draws a scene as a client of the driver does: memory, streams, and the CPU's turns. */
export class FrameMaker {
  readonly #options: FrameOptions;
  readonly #scene: Scene;
  readonly #context: GpuContext;
  readonly #notes: string[] = [];
  readonly #mappings = new Map<GemObject, CpuAddr>();
  #nextVa = USER_START;
  /** The picture before is there. */
  #hasPrevious = false;

  constructor(scene: Scene, options: FrameOptions) {
    this.#options = options;
    this.#scene = scene;
    this.#context = had(options.gpu.createContext('render'), 'an address space');
  }

  run(): Frame {
    const { bug, isSplit } = this.#options;
    const { width, height } = this.#scene;
    const size = width * alignUp(height, SUPERTILE) * WORD;
    const target = this.#place({ size, placement: 'pages', caching: 'cached' });
    const scanout = this.#place({ size, placement: 'pages', caching: 'cached' });
    const placed = this.#placeScene(target.va, scanout.va);
    this.#showPrevious(placed, scanout.object);
    const draws = drawing(this.#scene, placed, bug);
    const rest = [...resolving(this.#scene, placed), overlay(this.#scene, placed)];
    if (isSplit ?? (bug === 'stale-translation' || bug === 'missing-fence-wait')) {
      this.#runSplit(draws, rest, { target, scanout: scanout.object });
    } else {
      this.#submit([draws, ...rest]);
      this.#waitIdle();
    }
    const keeps = bug === 'missing-invalidate' || bug === 'missing-fence-wait';
    const pixels = this.#read(scanout.object, keeps ? 'kept' : 'prepared');
    return { picture: { width, height, pixels }, notes: this.#notes };
  }

  #placeScene(target: number, scanout: number): PlacedScene {
    const { width, textures, texts } = this.#scene;
    const placed = Object.entries(textures).map(([name, spec]) => {
      const { va } = this.#texture(textureWords(spec), textureWords(before(spec)));
      return [name, { spec, surface: textureSurface(spec, va) }] as const;
    });
    return {
      target: surfaceAt(target, width, 'supertiled'),
      scanout: surfaceAt(scanout, width, 'linear'),
      textures: new Map(placed),
      vertices: this.#filled(vertexBuffer(this.#scene)).va,
      atlas: atlasSurface(this.#filled(texts.length === 0 ? [] : atlasWords()).va),
    };
  }

  /** A picture that is of one colour, which the CPU then looks at. */
  #showPrevious(placed: PlacedScene, scanout: GemObject): void {
    const { width, height } = this.#scene;
    const stream = new Stream();
    stream.clear(placed.target, width, height, PREVIOUS);
    stream.stall('PE');
    this.#submit([stream, ...resolving(this.#scene, placed)]);
    this.#waitIdle();
    const pixels = this.#read(scanout, 'prepared');
    if (pixels.some(pixel => pixel !== PREVIOUS)) this.#notes.push('the picture before is wrong');
    this.#hasPrevious = true;
    if (this.#options.bug !== 'missing-invalidate') scanout.endCpuAccess();
  }

  /** Draws; moves pages of the target; and then the rest, each a job that the driver can wait for. */
  #runSplit(draws: Stream, rest: readonly Stream[], { target, scanout }: Objects): void {
    this.#submit([draws]);
    this.#waitIdle();
    this.#movePages(target);
    const { gpu, bug } = this.#options;
    const isEarly = bug === 'missing-fence-wait';
    if (isEarly) check(scanout.beginCpuAccess(Prep.Read), 'prep');
    let done = 0;
    for (const stream of rest) {
      this.#submit([stream], () => {
        done++;
      });
    }
    const enough = isEarly ? rest.length / 2 : rest.length;
    const isDone = (): boolean => gpu.poll(() => done >= enough);
    if (!gpu.dev.services.waitUntil(isDone, PATIENCE)) this.#stopped();
  }

  /** Some pages of an object get other memory, as when memory is compacted; the old is somebody else's. */
  #movePages({ object, va }: PlacedObject): void {
    const { cpu } = this.#options.machine.kernel;
    const { size } = object;
    const other = this.#object({ size, placement: 'pages', caching: 'cached' });
    const from = this.#mapped(object);
    const to = this.#mapped(other);
    const { flushSeq } = this.#context;
    check(object.beginCpuAccess(Prep.Read + Prep.Write), 'prep');
    check(other.beginCpuAccess(Prep.Write), 'prep');
    for (let at = 0; at < size; at += MOVES_EACH * PAGE_SIZE) {
      for (let byte = at; byte < at + PAGE_SIZE; byte += WORD) {
        cpu.store32(to + byte, cpu.load32(from + byte));
        cpu.store32(from + byte, POISON);
      }
      this.#context.unbind({ start: va + at, size: PAGE_SIZE });
      check(this.#context.bind({ start: va + at, size: PAGE_SIZE, offset: at }, other), 'bind');
    }
    object.endCpuAccess();
    other.endCpuAccess();
    if (this.#options.bug === 'stale-translation') this.#context.flushSeq = flushSeq;
  }

  /** A texture that was another before: the client has changed its mind. */
  #texture(words: readonly number[], previous: readonly number[]): Placed {
    const { bug } = this.#options;
    if (bug === 'cacheable-alias') return this.#poisoned(words);
    const placed = this.#filled(previous);
    const { object } = placed;
    const op = bug === 'wrong-direction' ? Prep.Read : Prep.Write;
    check(object.beginCpuAccess(op), 'prep');
    this.#store(this.#mapped(object), words);
    if (bug !== 'missing-texture-clean') object.endCpuAccess();
    return placed;
  }

  /** An object that the CPU stores words into. */
  #filled(words: readonly number[]): PlacedObject {
    const size = Math.max(1, words.length) * WORD;
    const placed = this.#place({ size, placement: 'pages', caching: 'cached' });
    const { object } = placed;
    const address = this.#mapped(object);
    check(object.beginCpuAccess(Prep.Write), 'prep');
    this.#store(address, words);
    check(object.endCpuAccess(), 'fini');
    return placed;
  }

  /** As #filled, on pages that are mapped write-combined while somebody stores through the linear map. */
  #poisoned(words: readonly number[]): Placed {
    const { machine, gpu } = this.#options;
    const { cpu } = machine.kernel;
    const size = alignUp(words.length * WORD, PAGE_SIZE);
    const pages = Array.from({ length: size / PAGE_SIZE }, () => this.#page(0));
    const address = had(gpu.dev.services.pages.vmap(pages, 'writecombine'), 'a mapping');
    for (const page of pages) {
      const linear = this.#linear(page);
      for (let byte = 0; byte < PAGE_SIZE; byte += WORD) cpu.store32(linear + byte, POISON);
    }
    this.#store(address, words);
    gpu.dev.services.barriers.wmb();
    this.#workElsewhere();
    const runs = pages.map(page => ({
      address: dmaMapPage(gpu.dev, page, 0, PAGE_SIZE, ToDevice, DmaAttr.SkipCpuSync),
      size: PAGE_SIZE,
    }));
    return { va: this.#bind({ size, runs }) };
  }

  /** The CPU reads enough of other memory for lines to make room in its caches. */
  #workElsewhere(): void {
    const { kernel, findings } = this.#options.machine;
    // A checked machine has no caches that could be full.
    if (findings !== null) return;
    const { cpu } = kernel;
    const linear = this.#linear(this.#page(ELSEWHERE_ORDER));
    for (let byte = 0; byte < PAGE_SIZE * 2 ** ELSEWHERE_ORDER; byte += LINE)
      cpu.load32(linear + byte);
  }

  #page(order: number): Page {
    return had(this.#options.gpu.dev.services.pages.allocPages(GFP_KERNEL, order), 'pages');
  }

  /** Where the linear map has a page of lowmem. */
  #linear(page: Page): CpuAddr {
    return had(this.#options.machine.kernel.mm.layout.physToVirt(pageToPhys(page)), 'an alias');
  }

  #store(address: CpuAddr, words: readonly number[]): void {
    const { cpu } = this.#options.machine.kernel;
    words.forEach((word, i) => {
      cpu.store32(offsetBy(address, i * WORD), word);
    });
  }

  /** Where the CPU has an object, for as long as the frame lasts. */
  #mapped(object: GemObject): CpuAddr {
    const known = this.#mappings.get(object);
    if (known !== undefined) return known;
    const address = object.vmap();
    if (address < 0) throw new BenchError(`render: ${object.name} for the CPU: ${address}`);
    const made = cpuAddr(address);
    this.#mappings.set(object, made);
    return made;
  }

  #object(request: GemRequest): GemObject {
    const object = this.#options.gpu.createObject(request);
    if (typeof object === 'number') throw new BenchError(`render: an object: ${object}`);
    check(object.pin(), 'pin');
    return object;
  }

  #place(request: GemRequest): PlacedObject {
    const object = this.#object(request);
    return { object, va: this.#bind(object) };
  }

  /** Gives memory the next of the GPU's addresses. */
  #bind(memory: BackedObject): number {
    const va = this.#nextVa;
    this.#nextVa += APART;
    check(this.#context.bind({ start: va, size: memory.size, offset: 0 }, memory), 'bind');
    return va;
  }

  /** Hands streams over as one job, as a client that the driver does not trust. */
  #submit(streams: readonly Stream[], done: () => void = () => undefined): void {
    const words = streams.flatMap(stream => stream.words);
    const copy = copyStream({ length: words.length, word: index => words[index] ?? 0 });
    if (typeof copy === 'number') throw new BenchError(`render: a stream of ${words.length} words`);
    const refusal = refusalOf(copy, null);
    if (refusal !== null) throw new BenchError(`render: ${refusal.text}`);
    const { gpu, bug, barriers } = this.#options;
    barriers.isOff = bug === 'missing-wc-drain' && this.#hasPrevious;
    const result = gpu.submit(this.#context, copy, error => {
      if (error !== 0) this.#notes.push(`a job ended with ${error}`);
      done();
    });
    barriers.isOff = false;
    check(result, 'submit');
  }

  #waitIdle(): void {
    if (this.#options.gpu.waitIdle(PATIENCE) !== 0) this.#stopped();
  }

  #stopped(): void {
    const { gpu } = this.#options;
    this.#notes.push(`the GPU stands still, its front end at ${hex(gpu.progress.address)}`);
    gpu.recover();
  }

  /** The picture as the CPU sees it; `kept`: as one that it never gave back. */
  #read(object: GemObject, how: 'prepared' | 'kept'): Uint32Array {
    const { cpu } = this.#options.machine.kernel;
    const { width, height } = this.#scene;
    const address = this.#mapped(object);
    if (how === 'prepared') check(object.beginCpuAccess(Prep.Read), 'prep');
    const pixels = new Uint32Array(width * height);
    for (let i = 0; i < pixels.length; i++) {
      pixels[i] = cpu.load32(address + i * WORD);
      // The byte above the colour is nobody's.
      pixels[i] = (pixels[i] ?? 0) % BYTE_4;
    }
    return pixels;
  }
}

/** A texture as it was: its two colours the other way round. */
const before = (spec: TextureSpec): TextureSpec => {
  const [one, other] = spec.colours;
  return { ...spec, colours: [other, one] };
};

const surfaceAt = (address: number, width: number, layout: SurfaceLayout): Surface => ({
  address,
  stride: width * WORD,
  layout,
  channels: 'xrgb8888',
});

const check = (result: number, what: string): void => {
  if (result !== 0) throw new BenchError(`render: ${what}: ${result}`);
};

const had = <T>(value: T | null, what: string): T => {
  if (value === null) throw new BenchError(`render: no memory for ${what}`);
  return value;
};
