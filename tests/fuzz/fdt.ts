import { InputError } from '../../drivers/base/types/errors';
import type { Random } from '../../drivers/base/types/random';
import { readDts } from '../../drivers/of/dts';
import { printDts } from '../../drivers/of/dts-print';
import { NO_FILES } from '../../drivers/of/dts-source';
import { readFdt } from '../../drivers/of/fdt';
import { writeFdt } from '../../drivers/of/fdt-write';
import { DEFAULT_LIMITS } from '../../drivers/of/limits';
import { applyOverlay } from '../../drivers/of/overlay';
import type { DeviceTree } from '../../drivers/of/tree';
import { mutateBlob, mutateSource } from './fdt-mutate';
import { fuzz, pick } from './harness';
import type { Fail, FuzzReport, Outcome } from './harness';

/*
 * Damaged device trees. Every reader answers each of them with a tree or with an InputError, in
 * time and memory that the size of the input accounts for, and what it accepts can be written
 * and read again.
 */

type Kind = 'blob' | 'source' | 'overlay';
const KINDS: readonly Kind[] = ['blob', 'blob', 'source', 'overlay'];

/** Source with what trees that were compiled once no longer have. */
const SOURCES: readonly string[] = [
  `/dts-v1/;
/memreserve/ 0x1000 (4 * 1024);
/ { #address-cells = <1>; v = <&a 7 &{/b/c}>, "text\\x41\\n", [00 ff], &a, /bits/ 64 <(1 << 40)>;
  a: a@1 { reg = <0x1 ((2 + 3) ? ~1 : 'c')>; l: p = m: <1>; };
  b { /omit-if-no-ref/ c: c { }; d { }; };
  cpus { cpu@0 { reg = <0>; }; }; };
/ { /delete-property/ v; b { /delete-node/ d; }; };
&a { status = "okay"; };
k: &{/b} { q; };
/delete-node/ &c;
# 12 "other.dtsi"
/* comment */ &k { r = <0x10UL>; }; // end
`,
  `/dts-v1/; /plugin/;
&uart { v = <&gic 1 &here>; here: n@2 { w = "s", <&here>; }; };
&{/soc} { p; };
/ { f { target-path = "/"; o: __overlay__ { x { phandle = <1>; }; }; }; };
`,
];

const BASE = readDts(
  `/dts-v1/; / { soc: soc { uart: uart@1 { }; gic: gic { phandle = <3>; }; }; };`,
  'base',
  NO_FILES,
  { symbols: true },
);

/** One in so many accepted blobs is also printed and read again, which takes longest. */
const PRINTED = 8;

/**
 * Feeds `count` mutants of the blobs `seeds` and of sources to the readers. Mutant n of a seed is
 * always the same. Throws a FuzzFailure, naming both, for what is neither success nor InputError.
 */
export const fuzzFdt = (
  count: number,
  seed: number,
  seeds: readonly Uint8Array[],
  onProgress?: (done: number) => void,
): FuzzReport => {
  const material = prepare(seeds);
  return fuzz({ count, seed, onProgress }, random => {
    const { kind, bytes, read, check } = mutantOf(material, random);
    return { kind, bytes, limit: timeFor(bytes), run: fail => attempt(read, check, fail) };
  });
};

/** What is read is checked outside the time that reading may take. */
const attempt = (read: Mutant['read'], check: Mutant['check'], fail: Fail): Outcome => {
  const tree = attemptTo(read, fail);
  if (tree === undefined) return { isAccepted: false };
  return {
    isAccepted: true,
    check: () => {
      check(tree, fail);
    },
  };
};

interface Material {
  readonly blobs: readonly Uint8Array[];
  readonly sources: readonly string[];
  readonly overlays: readonly Uint8Array[];
}

const prepare = (seeds: readonly Uint8Array[]): Material => {
  const own = SOURCES.map(source => readDts(source, 'seed', NO_FILES, { symbols: true }));
  const trees = seeds.map(blob => readFdt(blob).tree);
  return {
    blobs: [...seeds, ...own.map(writeFdt)],
    sources: [...SOURCES, ...SOURCES, ...trees.map(printDts)],
    overlays: own.slice(1).map(writeFdt),
  };
};

interface Mutant {
  readonly kind: Kind;
  readonly bytes: number;
  /** Reads it and checks what comes of that; undefined if it is refused. */
  readonly read: () => DeviceTree | undefined;
  readonly check: (tree: DeviceTree, fail: Fail) => void;
}

const mutantOf = ({ blobs, sources, overlays }: Material, random: Random): Mutant => {
  const kind = pick(random, KINDS, 'blob');
  const isPrinted = random.oneIn(PRINTED);
  if (kind === 'source') {
    const source = mutateSource(pick(random, sources, ''), random);
    const symbols = random.oneIn(2);
    return {
      kind,
      bytes: source.length,
      read: () => readDts(source, 'mutant', NO_FILES, { symbols }),
      check: (tree, fail) => {
        checkSize(tree, DEFAULT_LIMITS.bytes, fail);
        checkWritten(tree, fail);
      },
    };
  }
  const none = new Uint8Array();
  const from = kind === 'blob' ? blobs : overlays;
  const blob = mutateBlob(pick(random, from, none), pick(random, from, none), random);
  const read = (): DeviceTree => readFdt(blob).tree;
  return {
    kind,
    bytes: blob.length,
    read: kind === 'blob' ? read : (): DeviceTree => applyOverlay(BASE, read()),
    check: (tree, fail) => {
      if (kind === 'blob') checkSize(tree, blob.length, fail);
      checkWritten(tree, fail);
      if (isPrinted) checkPrinted(tree, fail);
    },
  };
};

/** 0.25 s and 10 microseconds a byte: twenty times what the readers take. */
const timeFor = (bytes: number): number => 250 + 0.01 * bytes;

const attemptTo = <T>(run: () => T, fail: Fail): T | undefined => {
  try {
    return run();
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw fail('neither a tree nor an InputError', error);
  }
};

/** A tree holds no more bytes than it was given, and no node or property for less than one. */
const checkSize = (tree: DeviceTree, bytes: number, fail: Fail): void => {
  let held = 0;
  let parts = 0;
  for (const node of tree.root.walk()) {
    parts += 1 + node.properties.size;
    for (const { value } of node.properties.values()) held += value.length;
  }
  if (held > bytes || parts > bytes) throw fail(`${held} bytes in ${parts} parts of ${bytes}`);
};

const checkWritten = (tree: DeviceTree, fail: Fail): void => {
  const blob = writeFdt(tree);
  const again = attemptTo(() => readFdt(blob).tree, fail);
  if (again === undefined) throw fail('what was written is refused');
  // A name that repeats its node's is dropped by readers, so the second writing is the normal form.
  const normal = writeFdt(again);
  if (Buffer.compare(normal, writeFdt(readFdt(normal).tree)) !== 0) {
    throw fail('what was written reads as another tree');
  }
};

const checkPrinted = (tree: DeviceTree, fail: Fail): void => {
  const source = attemptTo(() => printDts(tree), fail);
  if (source === undefined) return;
  // Source is stricter: phandles that clash, for one, are errors there.
  const again = attemptTo(() => readDts(source, 'printed', NO_FILES), fail);
  if (again === undefined) return;
  again.bootCpu = tree.bootCpu;
  if (Buffer.compare(writeFdt(again), writeFdt(tree)) !== 0) {
    throw fail('what was printed reads as another tree');
  }
};
