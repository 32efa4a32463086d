/** A mistake of the driver's, or of its client, that a picture shows. */
export interface RenderBug {
  readonly name: BugName;
  /** What is left out or done wrong. */
  readonly mistake: string;
  /** What it looks like. */
  readonly shape: string;
}

export type BugName =
  | 'missing-colour-flush'
  | 'missing-stall'
  | 'missing-texture-clean'
  | 'wrong-direction'
  | 'cacheable-alias'
  | 'stale-translation'
  | 'missing-wc-drain'
  | 'missing-fence-wait'
  | 'missing-invalidate';

export const RENDER_BUGS: readonly RenderBug[] = [
  {
    name: 'missing-colour-flush',
    mistake: 'the colour cache is not flushed before the resolve engine reads the target',
    shape: 'what was drawn last is not there, in whole tiles of 4 by 4 pixels',
  },
  {
    name: 'missing-stall',
    mistake: 'the front end does not wait for the pixel engine before it starts the resolve engine',
    shape: 'the background, without what was to be drawn on it',
  },
  {
    name: 'missing-texture-clean',
    mistake: 'textures are stored through the caches, and nobody cleans them (no cpuFini)',
    shape: 'squares of 4 by 4 texels, or dashes where it is linear, are as memory had them before',
  },
  {
    name: 'wrong-direction',
    mistake: 'textures are given to the GPU as if the CPU had only read them (DMA_FROM_DEVICE)',
    shape: 'most texels are gone: the cache was invalidated instead of cleaned',
  },
  {
    name: 'cacheable-alias',
    mistake:
      'pages of textures are stored to through the linear map while they are mapped write-combined',
    shape: 'grey squares (0xAA) where dirty lines of the alias were evicted over texels',
  },
  {
    name: 'stale-translation',
    mistake: 'pages of the target move between two jobs, and the TLB of the GPU is not flushed',
    shape:
      'strips of 64 by 16 pixels, a page of a supertiled surface, are what the old page has now',
  },
  {
    name: 'missing-wc-drain',
    mistake: 'the ring is kicked without the barriers that drain write-combined stores',
    shape: 'the GPU runs words that are not there yet: it stops, and the picture before stays',
  },
  {
    name: 'missing-fence-wait',
    mistake: 'the CPU waits for an earlier job than the last that writes the picture',
    shape: 'a tear: the picture before, above some row',
  },
  {
    name: 'missing-invalidate',
    mistake: 'the CPU keeps the picture for two turns of the GPU (no cpuFini, no cpuPrep)',
    shape: 'the picture before, but for dashes from lines that have left the caches',
  },
];
