import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Exit } from '../../../tools/exit';
import { main } from '../../../tools/main';
import { TestHost, temporaryFolder } from '../../support/host';

const CAMERA = join(__dirname, '../../../examples/camera');

/** The first line with this part, from 1. */
const lineOf = (text: string, part: string): number =>
  text.split('\n').findIndex(line => line.includes(part)) + 1;

const film = async (folder: string): Promise<{ readonly status: number; readonly out: string }> => {
  const host = new TestHost();
  const words = ['run', join(folder, 'board.dts'), '--load', join(folder, 'suite.ts')];
  const status = await main(words, host);
  return { status, out: host.out.text + host.err.text };
};

test('the bug of the example is found at its line', async t => {
  const { status, out } = await film(CAMERA);
  t.is(status, Exit.Failed);
  const mapped = lineOf(readFileSync(join(CAMERA, 'driver.ts'), 'utf8'), 'dmaMapSingle(dev');
  t.regex(
    out,
    new RegExp(`error: refill-after-invalidate\\n[^]*mapped at .*driver.ts:${mapped}\\n`),
  );
  t.regex(out, /missing {2}dmaSyncSingleForCpu\(/);
});

test('the example passes with the two calls that the README names', async t => {
  const folder = join(temporaryFolder(t), 'camera');
  cpSync(CAMERA, folder, { recursive: true });
  const file = join(folder, 'driver.ts');
  const wrong = readFileSync(file, 'utf8');
  const right = wrong
    .replace('dmaMappingError,', 'dmaMappingError, dmaSyncSingleForCpu, dmaSyncSingleForDevice,')
    .replace(
      'show(frame);',
      'dmaSyncSingleForCpu(dev, dma, size, FromDevice);\n' +
        'show(frame);\n' +
        'dmaSyncSingleForDevice(dev, dma, size, FromDevice);',
    );
  t.not(right, wrong);
  writeFileSync(file, right);
  const { status, out } = await film(folder);
  t.is(status, Exit.Passed, out);
  t.regex(out, /camera {2}1 passed/);
});
