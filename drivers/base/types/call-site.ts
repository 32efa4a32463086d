/** A place in the program: taken cheaply, made readable only if somebody asks. */
export interface CallSite {
  /** `file:line` of the innermost caller that is nobody's plumbing; null if there is none. */
  readonly at: string | null;
}

/**
 * Files that are passed over on the way to a place: what calls them is looked for. A pattern sees
 * the path in the project, with a slash before it: `/mm/slab.ts`.
 */
export class Plumbing {
  readonly #patterns: readonly RegExp[];
  readonly #known = new Map<string, boolean>();

  constructor(patterns: readonly RegExp[]) {
    this.#patterns = patterns;
  }

  has(file: string): boolean {
    let known = this.#known.get(file);
    if (known === undefined) {
      const path = `/${inProject(file)}`;
      known = this.#patterns.some(pattern => pattern.test(path));
      this.#known.set(file, known);
    }
    return known;
  }
}

/** What a driver calls and is never at fault itself: the DMA layer, the accessors, the bench. */
const UNDER_DRIVERS = new Plumbing([
  /^\/drivers\/base\//,
  /^\/arch\//,
  /^\/mm\//,
  /^\/machines\//,
  /^\/tools\/(?:run|mutate)\//,
  /^\/tests\/suites\/(?:suite|support|dma-support|driver-bench)\./,
  /\/node_modules\//,
  /^\/node:/,
  /^\/drivers\/.*\/model[./]/,
  /^\/drivers\/iommu\/(?:hw|walk)\//,
  // A device that suites drive: what is wrong stands in the suite.
  /^\/drivers\/misc\/test-master\/driver\./,
]);

const FRAME = /^\s+at (?:.*\()?(?:file:\/\/)?(.+?):(\d+):\d+\)?$/;
/** Where this module is in the project: what stands before it is before all others. */
const OWN_PATH = /^(.*)drivers\/base\/types\/call-site\.[jt]s$/;

/** Frames that are looked at: plumbing is not deeper. */
const DEPTH = 64;

class CapturedSite implements CallSite {
  readonly #error: { stack?: string } = {};
  readonly #plumbing: Plumbing;
  #at: string | null | undefined = undefined;

  constructor(plumbing: Plumbing) {
    this.#plumbing = plumbing;
    const before = Error.stackTraceLimit;
    Error.stackTraceLimit = DEPTH;
    Error.captureStackTrace(this.#error, CapturedSite);
    Error.stackTraceLimit = before;
  }

  get at(): string | null {
    this.#at ??= placeOf(this.#error, this.#plumbing);
    return this.#at;
  }
}

/** The place of the caller's caller. The text is made when it is first asked for. */
export const callSite = (plumbing: Plumbing = UNDER_DRIVERS): CallSite =>
  new CapturedSite(plumbing);

/** Where a host hangs what writes stacks, in terms of the sources where it knows them. */
const FORMATTER = 'prepareStackTrace';

/** The folder of the project, once a stack has shown it. */
let root: string | null = null;

const inProject = (path: string): string =>
  root !== null && path.startsWith(root) ? path.slice(root.length) : path;

/** By the position in the code that runs; what it is in the source is slow to find out. */
const places = new Map<string, string | null>();

/** The stack is made up here, when it is first read: as frames, of which one is written out. */
const placeOf = (error: { readonly stack?: string }, plumbing: Plumbing): string | null => {
  const before: unknown = Reflect.get(Error, FORMATTER);
  let place: string | null = null;
  Error.prepareStackTrace = (described, frames) => {
    root ??= OWN_PATH.exec(frames[0]?.getFileName() ?? '')?.[1] ?? null;
    place = innermost(frames, plumbing, frame =>
      typeof before === 'function'
        ? String(Reflect.apply(before, Error, [described, [frame]]))
        : `    at ${positionOf(frame)}`,
    );
    return '';
  };
  try {
    return error.stack === undefined ? null : place;
  } finally {
    Reflect.set(Error, FORMATTER, before);
  }
};

const innermost = (
  frames: readonly NodeJS.CallSite[],
  plumbing: Plumbing,
  write: (frame: NodeJS.CallSite) => string,
): string | null => {
  const frame = frames.find(one => !plumbing.has(one.getFileName() ?? 'node:'));
  if (frame === undefined) return null;
  const key = positionOf(frame);
  let place = places.get(key);
  if (place === undefined) {
    place = inSource(write(frame));
    places.set(key, place);
  }
  return place;
};

const positionOf = (frame: NodeJS.CallSite): string =>
  `${frame.getFileName()}:${frame.getLineNumber()}:${frame.getColumnNumber()}`;

const inSource = (stack: string): string | null => {
  for (const line of stack.split('\n')) {
    const [, file, number] = FRAME.exec(line) ?? [];
    if (file !== undefined && number !== undefined) return `${inProject(file)}:${number}`;
  }
  return null;
};
