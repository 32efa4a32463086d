import type { Argv, Options } from 'yargs';
import type { RenderArguments } from './arguments';
import { machineOptions, seed, withListFormat } from './options';
import type { Command } from './options';

const board = {
  type: 'string',
  requiresArg: true,
  default: 'pandaboard',
  describe: 'A board; the GPU comes with the overlay gpu-BOARD if it has none',
} as const satisfies Options;

const bug = {
  type: 'string',
  requiresArg: true,
  describe: 'Make this mistake in the driver: a wrong name is answered with all there are',
} as const satisfies Options;

const out = {
  type: 'string',
  requiresArg: true,
  demandOption: true,
  describe: 'The file for the picture, a PNG',
} as const satisfies Options;

const builder = (yargs: Argv): Argv<RenderArguments> =>
  withListFormat(
    yargs
      .positional('scene', {
        type: 'string',
        describe: 'demo, gradient, text, texture or triangles',
        demandOption: true,
      })
      .options({ board, bug, out, seed, ...machineOptions }),
  );

/** `dmabench render` */
export const renderCommand: Command<RenderArguments> = assign => ({
  command: 'render <scene>',
  describe: "Draw a scene with a board's GPU: a mistake shows its shape",
  builder,
  handler: args => {
    assign(async host => (await import('../render/render')).render(args, host));
  },
});
