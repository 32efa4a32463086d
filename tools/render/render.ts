import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { InputError } from '../../drivers/base/types/errors';
import { RULES } from '../../drivers/base/types/rules';
import type { CountedFinding } from '../../machines/finding-log';
import type { RenderArguments } from '../commands/arguments';
import { Exit, OutputError } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { parseSeed, planOptions } from '../options';
import { withPlugins } from '../plugin/load';
import { Progress } from '../progress';
import { toJson } from '../report/json';
import { painter, widthOf } from '../report/text';
import { bootToDraw, draw, openWithGpu } from './boot';
import type { DrawnFrame, RenderBoard } from './boot';
import { RENDER_BUGS } from './bugs';
import type { RenderBug } from './bugs';
import { renderHuman } from './human';
import { bytesOf, encodePng } from './png';
import type { Picture } from './png';
import type { RenderFinding, RenderReport } from './report';
import { SCENES } from './scenes';
import type { Scene } from './scene';

/** Seeds that are tried until a mistake shows. */
const SEEDS = 8;

/** `dmabench render`: InputError for a scene or a bug that there is none of. */
export const render = (args: RenderArguments, host: Host): ExitStatus =>
  withPlugins(args.load, ({ modules }) => {
    const scene = named('scene', SCENES, args.scene);
    const bug = args.bug === undefined ? null : named('--bug', RENDER_BUGS, args.bug);
    const seed = parseSeed(args.seed);
    const board = openWithGpu(args.board, args.overlay ?? [], planOptions(args, modules));
    const progress = new Progress(host);
    let step = 0;
    const told = <T>(what: string, body: () => T): T => {
      progress.show(what, step++, bug === null ? 2 : 3);
      return body();
    };
    const right = told('drawing', () => draw(bootToDraw(board, seed), scene, { bug: null }));
    const wrong = bug && told(bug.name, () => untilItShows(board, scene, bug, seed, right.picture));
    const checked = told('the checker', () =>
      draw(bootToDraw(board, 'all'), scene, { bug: bug?.name ?? null }),
    );
    progress.clear();
    const shown = wrong?.frame ?? right;
    writePng(args.out, shown.picture);
    const report: RenderReport = {
      ...{ board: board.source, scene: scene.name, bug, out: args.out },
      seed: wrong?.seed ?? seed,
      ...{ width: scene.width, height: scene.height, sha256: hashOf(shown.picture) },
      differing: wrong === null ? null : differing(right.picture, shown.picture),
      notes: shown.notes,
      findings: checked.findings.filter(isTold).map(findingOf),
    };
    const human = (): string => renderHuman(report, painter(host.out), widthOf(host.out));
    host.out.write(args.format === 'json' ? toJson(report) : human());
    const isRight = shown.notes.length === 0 && report.findings.length === 0;
    return bug !== null || isRight ? Exit.Passed : Exit.Failed;
  });

/** sha256 of the pixels, three bytes each. */
export const hashOf = (picture: Picture): string =>
  createHash('sha256').update(bytesOf(picture)).digest('hex');

/** What caches do unasked is chance: whether a mistake shows, too. The first seed at which it does, or the last. */
const untilItShows = (
  board: RenderBoard,
  scene: Scene,
  { name }: RenderBug,
  first: number,
  right: Picture,
): { readonly frame: DrawnFrame; readonly seed: number } => {
  for (let seed = first; ; seed++) {
    const frame = draw(bootToDraw(board, seed), scene, { bug: name });
    const shows = frame.notes.length > 0 || differing(frame.picture, right) > 0;
    if (shows || seed === first + SEEDS - 1) return { frame, seed };
  }
};

const differing = (one: Picture, other: Picture): number =>
  one.pixels.reduce((sum, pixel, i) => sum + (pixel === other.pixels[i] ? 0 : 1), 0);

const isTold = ({ rule }: CountedFinding): boolean => RULES[rule].severity !== 'note';

const findingOf = ({ rule, access, missing, count }: CountedFinding): RenderFinding => ({
  rule,
  access: access.kind,
  at: access.at,
  missing: missing?.call ?? null,
  count,
});

const named = <One extends { readonly name: string }>(
  place: string,
  known: readonly One[],
  name: string,
): One => {
  const found = known.find(one => one.name === name);
  if (found !== undefined) return found;
  const expected = known.map(one => one.name).join(', ');
  throw new InputError({ place, expected, found: `'${name}'` });
};

const writePng = (file: string, picture: Picture): void => {
  try {
    writeFileSync(file, encodePng(picture));
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw new OutputError(error);
    throw error;
  }
};
