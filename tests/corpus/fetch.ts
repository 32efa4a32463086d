import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { FETCHED_CORPUS } from '../support/corpus';

/*
 * `npm run corpus`: brings the device trees of Debian's kernel packages, some two thousand boards,
 * into a folder that git ignores, where tests find them. Needs apt and dpkg-deb.
 */

/** Metapackages, each of which depends on the newest kernel for its architecture. */
const PACKAGES = [
  { architecture: 'armhf', meta: 'linux-image-armmp' },
  { architecture: 'arm64', meta: 'linux-image-arm64' },
];

const run = (program: string, args: readonly string[], cwd?: string): string => {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error === undefined && status === 0) return stdout;
  const why = error?.message ?? stderr.trim();
  throw new Error(`${program} ${args.join(' ')}: ${why}`);
};

/**
 * apt with lists of its own for one architecture, so that this machine's package system stays as
 * it is: neither a foreign architecture nor anything else is added to it.
 */
const aptFor = (architecture: string, folder: string): readonly string[] => {
  for (const name of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  return [
    ...['-o', `APT::Architecture=${architecture}`, '-o', `APT::Architectures=${architecture}`],
    ...['-o', `Dir::State::lists=${join(folder, 'lists')}`, '-o', 'Dir::State::status=/dev/null'],
    ...['-o', `Dir::Cache=${join(folder, 'cache')}`, '-o', 'APT::Sandbox::User=root'],
  ];
};

const fetch = ({ architecture, meta }: (typeof PACKAGES)[number], folder: string): number => {
  const apt = aptFor(architecture, folder);
  // One index of several may be out of order; what is missing for it, the next commands say.
  spawnSync('apt-get', [...apt, 'update', '-qq'], { stdio: 'ignore' });
  const depends = run('apt-cache', [...apt, 'depends', meta]);
  const kernel = /Depends: (linux-image-[^\s]+)/.exec(depends)?.[1];
  if (kernel === undefined) throw new Error(`${meta} depends on no kernel`);
  console.log(`${architecture}: ${kernel}`);
  run('apt-get', [...apt, 'download', '-qq', kernel], folder);
  const [deb] = readdirSync(folder).filter(file => file.endsWith('.deb'));
  if (deb === undefined) throw new Error(`${kernel} was not downloaded`);
  const unpacked = join(folder, 'unpacked');
  run('dpkg-deb', ['-x', join(folder, deb), unpacked]);
  return copyBlobs(unpacked, join(FETCHED_CORPUS, architecture));
};

const copyBlobs = (from: string, to: string): number => {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const blobs = readdirSync(from, { recursive: true, encoding: 'utf8' }).filter(file =>
    file.endsWith('.dtb'),
  );
  for (const blob of blobs) copyFileSync(join(from, blob), join(to, basename(blob)));
  return blobs.length;
};

const main = (): void => {
  for (const wanted of PACKAGES) {
    const folder = mkdtempSync(join(tmpdir(), 'dmabench-corpus-'));
    try {
      console.log(`${wanted.architecture}: ${fetch(wanted, folder)} device trees`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  console.log(FETCHED_CORPUS);
};

try {
  main();
} catch (error) {
  console.error(`npm run corpus: ${error instanceof Error ? error.message : String(error)}`);
  console.error('It takes the boards from the packages of Debian, by apt-get and dpkg-deb.');
  process.exitCode = 1;
}
