import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Exit } from '../../../tools/exit';
import { main } from '../../../tools/main';
import { TestHost, temporaryFolder } from '../../support/host';

const CASE = 'dma-streaming.what_the_device_wrote_is_what_the_cpu_reads';
const DMA = 'arch/arm/mm/dma.ts';

/** file:line of the maintenance of the inner caches, at both ends of a mapping. */
const lines = readFileSync(join(__dirname, '../../..', DMA), 'utf8').split('\n');
const PLACE = `${DMA}:${lines.findIndex(line => line.includes('routine(linear')) + 1}`;

const runWithout = async (
  place: string,
  ...more: readonly string[]
): Promise<{ readonly status: number; readonly text: string }> => {
  const host = new TestHost();
  const words = ['run', 'imx6q-sabresd', '--suite', CASE, '--dma-timing', 'earliest', ...more];
  const status = await main([...words, '--drop', place], host);
  return { status, text: host.out.text + host.err.text };
};

test('a run without the calls of one place finds what they were there for', async t => {
  const { status, text } = await runWithout(PLACE);
  t.is(status, Exit.Failed);
  t.regex(text, /error: dirty-line-over-device-data/);
  t.regex(text, new RegExp(`To repeat it: .* --drop ${PLACE}\n$`));
});

test('the command that replays a finding leaves out what the run did', async t => {
  const file = join(temporaryFolder(t), 'run');
  await runWithout(PLACE, '--save', file);
  const host = new TestHost();
  t.is(await main(['explain', `${file}#1`], host), Exit.Passed);
  const command = /^ {2}dmabench (run .*)$/m.exec(host.out.text)?.[1] ?? '';
  const replay = new TestHost();
  t.is(await main(command.split(' '), replay), Exit.Failed);
  t.regex(replay.out.text, /What was read and was not the latest/);
});

test('a place that nothing is called from is refused with where the places are listed', async t => {
  const { status, text } = await runWithout('mm/slab.ts:1');
  t.is(status, Exit.Usage);
  t.is(
    text,
    "dmabench: --drop: expected file:line of a call that the run makes, as 'dmabench mutate' " +
      "lists them, found 'mm/slab.ts:1', where none is made\n",
  );
});
