import type { CacheMismatch, GpuMemory, GpuUnit, UnitPorts } from './unit';
import { DrawingEngine } from './draw-2d';
import { LineCache } from './line-cache';
import { PixelEngine } from './pixel-engine';
import { ResolveEngine } from './resolve';
import { UnflushedLines, WatchedMemory } from './unflushed';

/** Sets and ways of the caches: see the data sheets. */
const COLOUR_CACHE = { sets: 16, ways: 4 } as const;
const TEXTURE_CACHE = { sets: 16, ways: 4 } as const;
const CACHE_2D = { sets: 8, ways: 4 } as const;

/** The engines of one GPU. */
export interface Engines {
  readonly units: readonly GpuUnit[];
  /**
   * Something else of the same GPU has read memory, by its own way: on a checked GPU what the engines need not
   * have flushed is told.
   */
  readonly reads: (reader: string, address: number, length: number) => void;
}

/** The pixel engine, the resolve engine and the drawing engine, with their caches. */
export const createEngines = (ports: UnitPorts): Engines => {
  const { memory, isChecked, onMismatch } = ports;
  const unflushed = new UnflushedLines(onMismatch, ports.onHeld ?? null);
  const check = isChecked ? { onMismatch, unflushed } : null;
  const watched = (reader: string, own: CacheMismatch['cache'] | null = null): GpuMemory =>
    isChecked ? new WatchedMemory(memory, unflushed, reader, own) : memory;
  const cacheOf = (
    name: CacheMismatch['cache'],
    unit: string,
    shape: { readonly sets: number; readonly ways: number },
  ): LineCache => new LineCache({ name, unit, ...shape, memory: watched(unit, name), check });
  const pixels = new PixelEngine({
    ports,
    memory: watched('PE'),
    colour: cacheOf('colour', 'PE', COLOUR_CACHE),
    texels: cacheOf('texture', 'PE', TEXTURE_CACHE),
  });
  const resolve = new ResolveEngine({ ...ports, memory: watched('RS') });
  const drawing = new DrawingEngine(ports, cacheOf('2d', 'DE', CACHE_2D));
  const reads = (reader: string, address: number, length: number): void => {
    unflushed.reads(reader, null, address, length);
  };
  return { units: [pixels, resolve, drawing], reads };
};
