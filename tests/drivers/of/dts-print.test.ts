import test from 'ava';
import fc from 'fast-check';
import { readDts } from '../../../drivers/of/dts';
import { printDts } from '../../../drivers/of/dts-print';
import { NO_FILES } from '../../../drivers/of/dts-source';
import { readFdt } from '../../../drivers/of/fdt';
import { writeFdt } from '../../../drivers/of/fdt-write';
import { DeviceTree, DtNode } from '../../../drivers/of/tree';
import { anyTree, compile, dtcTest, inputError, isEqual, parse, sameTree } from '../../support/fdt';

const printed = (value: readonly number[]): string => {
  const tree = new DeviceTree(new DtNode('', null));
  tree.root.setProperty('v', Uint8Array.from(value));
  return /\tv(?: = (.*))?;\n/.exec(printDts(tree))?.[1] ?? '';
};

const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')];

test('a tree is printed with reservations, labels, values and children', t => {
  const source = `/dts-v1/;

/memreserve/\t0x0000000080000000 0x0000000000010000;
/ {
	model = "a", "b";
	#address-cells = <0x01>;
	empty;

	l: soc {

		k: m: uart@1 {
			reg = <0x01 0xffffffff>;
			mac = [00 11 22 33 44 55];
		};
	};

	n {
	};
};
`;
  t.is(printDts(parse(source)), source);
});

test('a value is text if it ends with NUL and at most half of it is NULs', t => {
  t.is(printed(ascii('ab\0')), '"ab"');
  t.is(printed(ascii('a\0')), '"a"');
  t.is(printed(ascii('ab\0\0c\0')), '"ab", "", "c"');
  t.is(printed([0]), '[00]');
  t.is(printed([0, 0, 0, 0]), '<0x00>');
  t.is(printed(ascii('a\0\0\0')), '<0x61000000>');
  t.is(printed(ascii('abc')), '[61 62 63]');
  t.is(printed(ascii('abcd')), '<0x61626364>');
  t.is(printed([0x61, 0x80, 0x62, 0]), '<0x61806200>');
  t.is(printed([0x61, 0x1b, 0]), '[61 1b 00]');
  t.is(printed([0x7e, 0x7f, 0]), '[7e 7f 00]');
});

test('text is printed with the escapes that source has', t => {
  t.is(printed(ascii('"\\\x07\b\t\n\v\f\r\0')), '"\\"\\\\\\a\\b\\t\\n\\v\\f\\r"');
});

test('a digit after a NUL does not become part of an escape', t => {
  t.is(printed(ascii('a\x001b\0')), '"a", "1b"');
});

test('names that source cannot spell are refused', t => {
  const tree = new DeviceTree(new DtNode('', null));
  const node = tree.root.appendChild('a').appendChild('b!c');
  t.is(
    inputError(() => printDts(tree)),
    "/a/b!c: expected a node name that device tree source can spell, found 'b!c'",
  );
  const other = new DeviceTree(new DtNode('', null));
  other.root.setProperty('p q', new Uint8Array());
  t.is(
    inputError(() => printDts(other)),
    "/: property 'p q': expected a name that device tree source can spell, found 'p q'",
  );
  t.is(node.path, '/a/b!c');
  const twice = new DeviceTree(new DtNode('', null));
  twice.root.appendChild('a@1@2');
  t.regex(
    inputError(() => printDts(twice)),
    /expected a node name that device tree source can spell, found 'a@1@2'$/,
  );
});

test('what is printed reads as the same tree', t => {
  fc.assert(
    fc.property(anyTree, tree => {
      const again = readDts(printDts(tree), 'printed', NO_FILES);
      // Source has no place for the boot CPU.
      again.bootCpu = tree.bootCpu;
      return sameTree(tree, again);
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('what is written reads as the same tree, and writing that gives the same bytes', t => {
  fc.assert(
    fc.property(anyTree, tree => {
      const blob = writeFdt(tree);
      const { tree: again, diagnostics } = readFdt(blob);
      const names = (node: DtNode): string[] => [...node.walk()].map(({ path }) => path);
      t.deepEqual(names(again.root), names(tree.root));
      t.deepEqual(again.memReserve, tree.memReserve);
      t.deepEqual(diagnostics, []);
      return isEqual(writeFdt(again), blob);
    }),
    { numRuns: 200 },
  );
});

dtcTest('dtc makes of what is printed the bytes that are written', t => {
  fc.assert(
    fc.property(anyTree, tree => {
      const compiled = compile(printDts(tree), '-f', '-b', `${tree.bootCpu}`);
      return compiled !== undefined && isEqual(compiled, writeFdt(tree));
    }),
    { numRuns: 60 },
  );
  t.pass();
});
