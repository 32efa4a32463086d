import { EINVAL, ENOSPC } from '../../../drivers/base/kernel/errno';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { KERNEL_START, USER_START } from '../../../drivers/gpu/vivante/driver/context';
import type { RenderObject } from '../../../drivers/gpu/vivante/driver/render-object';
import { OPCODE, Opcode } from '../../../drivers/gpu/vivante/regs/command-stream';
import type { Case } from '../suite';
import { streamOf, renderCase } from './render-bench';
import { BLOCK, copy, fill, state } from './streams';
import { GC_STATES } from '../../../drivers/gpu/vivante/regs/states';

const NOP: readonly number[] = [OPCODE.at(Opcode.Nop), 0];

/** An object at an address of the client's choice, which the job writes. */
const at = (object: RenderObject, address: number) => ({ object, at: address, isWrite: true });

/** Where the n-th page of a client's addresses is. */
const page = (n: number): number => USER_START + n * PAGE_SIZE;

/** More objects than fit, a few at a time: each is written, and its neighbour's data stays. */
const evictEverything = renderCase('gem_evict_everything_minor', (t, bench) => {
  const client = bench.client('small', { space: 4 * PAGE_SIZE });
  const objects = Array.from({ length: 5 }, () => bench.object());
  for (let i = 0; i < 20; i++) {
    const [to, from] = [objects[(i * 7) % 5], objects[(i * 7 + 1) % 5]];
    if (to === undefined || from === undefined) continue;
    const error = bench.exec(client, NOP, {
      objects: [{ object: to, isWrite: true }, { object: from }],
    });
    t.equal(error, 0, `the error of copy ${i}`);
  }
  const tooMany = objects.map(object => ({ object }));
  for (let i = 0; i < 10; i++) {
    t.equal(bench.exec(client, NOP, { objects: tooMany }), -ENOSPC, 'the error of all at once');
    t.equal(bench.exec(client, NOP, { objects: tooMany.slice(1) }), 0, 'the error of all but one');
  }
  t.ok(client.vm.counts.evictions > 0, 'objects to have been evicted');
});

const evictAlignment = renderCase('gem_evict_alignment_minor', (t, bench) => {
  const client = bench.client('small', { space: 32 * PAGE_SIZE });
  const objects = Array.from({ length: 12 }, (_, i) => bench.object((1 + (i % 3)) * PAGE_SIZE));
  for (let alignment = PAGE_SIZE; alignment <= 16 * PAGE_SIZE; alignment *= 2) {
    for (const object of objects) {
      const error = bench.exec(client, NOP, { objects: [{ object, alignment }] });
      t.equal(error, 0, `the error with an alignment of ${alignment}`);
      const { start } = client.vm.vmaOf(object);
      t.equal(start % alignment, 0, 'what is left of its address');
    }
  }
});

const softpin = renderCase('gem_softpin_noreloc', (t, bench) => {
  const client = bench.client('pins');
  const [a, b] = [bench.object(), bench.object()];
  const job = [...fill(page(1), BLOCK, 0x11), ...copy(page(9), page(1), BLOCK)];
  t.equal(bench.exec(client, job, { objects: [at(a, page(1)), at(b, page(9))] }), 0, 'the error');
  t.equal(bench.read(b, 0), 0x11, 'what was copied');
  t.equal(client.vm.vmaOf(a).start, page(1), 'the address asked for');
});

const softpinOverlap = renderCase('gem_softpin_overlap', (t, bench) => {
  const client = bench.client('pins');
  const [a, b] = [bench.object(2 * PAGE_SIZE), bench.object()];
  const overlapping = { objects: [at(a, page(0)), at(b, page(1))] };
  t.ok(bench.exec(client, NOP, overlapping) < 0, 'two at one address to be refused');
  t.equal(
    bench.exec(client, NOP, { objects: [at(a, page(0)), at(b, page(2))] }),
    0,
    'side by side',
  );
});

const softpinReverse = renderCase('gem_softpin_reverse', (t, bench) => {
  const client = bench.client('pins');
  const objects = Array.from({ length: 6 }, () => bench.object());
  for (const order of [objects, [...objects].reverse()]) {
    const objects = order.map((object, i) => at(object, page(i)));
    t.equal(bench.exec(client, NOP, { objects }), 0, 'the error of the objects in this order');
    order.forEach((object, i) => {
      t.equal(client.vm.vmaOf(object).start, page(i), `the address of object ${i}`);
    });
  }
});

const softpinInvalid = renderCase('gem_softpin_invalid', (t, bench) => {
  const client = bench.client('pins');
  const object = bench.object();
  for (const address of [
    0,
    USER_START - PAGE_SIZE,
    KERNEL_START,
    2 ** 32,
    page(0) + 4,
    -PAGE_SIZE,
  ]) {
    const error = bench.exec(client, NOP, { objects: [at(object, address)] });
    t.ok(error < 0, `address ${address} to be refused, not ${error}`);
  }
  t.equal(bench.exec(client, NOP, { objects: [{ object }, { object }] }), -EINVAL, 'one twice');
  t.equal(bench.exec(client, NOP, { objects: [at(object, page(0))] }), 0, 'the right one');
});

/** The last page of 32 bits belongs to the kernel in every address space. */
const softpinLastPage = renderCase('gem_softpin_32b_excludes_last_page', (t, bench) => {
  const client = bench.client('pins');
  const object = bench.object();
  const last = 2 ** 32 - PAGE_SIZE;
  t.ok(bench.exec(client, NOP, { objects: [at(object, last)] }) < 0, 'the last page to be refused');
});

const softpinEvict = renderCase('gem_softpin_evict_active', (t, bench) => {
  const client = bench.client('pins');
  const [a, b] = [bench.object(), bench.object()];
  // Both want one place, one after the other, while the GPU still has the other.
  for (let i = 0; i < 6; i++) {
    const object = i % 2 === 0 ? a : b;
    const fence = bench.submit(client, fill(page(3), BLOCK, i), { objects: [at(object, page(3))] });
    t.ok(typeof fence !== 'number', `job ${i} to be taken`);
  }
  t.equal(bench.read(a, 0), 4, 'what the last job of one has written');
  t.equal(bench.read(b, 0), 5, 'what the last job of the other has written');
});

const vmIsolation = renderCase('gem_vm_create_isolation', (t, bench) => {
  const clients = ['one', 'other'].map(name => bench.client(name));
  const objects = clients.map(() => bench.object());
  clients.forEach((client, i) => {
    const [object] = objects.slice(i);
    if (object === undefined) return;
    const error = bench.exec(client, fill(page(0), BLOCK, 0x50 + i), {
      objects: [at(object, page(0))],
    });
    t.equal(error, 0, 'the error of a client');
  });
  objects.forEach((object, i) => {
    t.equal(bench.read(object, 0), 0x50 + i, `what client ${i} has at the same address`);
  });
});

/** Two objects in turns at one address: whoever forgets the TLB writes the other. */
const csTlb = renderCase('gem_cs_tlb', (t, bench) => {
  const client = bench.client('swaps');
  const [a, b] = [bench.object(), bench.object()];
  for (let i = 0; i < 8; i++) {
    const object = i % 2 === 0 ? a : b;
    const job = fill(page(0), BLOCK, 100 + i);
    t.equal(
      bench.exec(client, job, { objects: [at(object, page(0))] }),
      0,
      `the error of job ${i}`,
    );
    t.equal(bench.read(object, BLOCK - 4), 100 + i, `what job ${i} has written`);
  }
});

const ringfill = renderCase('gem_ringfill_basic', (t, bench) => {
  const client = bench.client('many');
  const object = bench.object();
  let last = 0;
  for (let i = 0; i < 100; i++) {
    const fence = bench.submit(client, fill(page(0), BLOCK, i), { objects: [at(object, page(0))] });
    if (typeof fence === 'number') t.fail(`job ${i} is refused with ${fence}`);
    else last = bench.wait(fence);
  }
  t.equal(last, 0, 'the error of the last job');
  t.equal(bench.read(object, 0), 99, 'what the last job has written');
});

/** A value goes from object to object by copies of one client after the other. */
const whisper = renderCase('gem_exec_whisper_basic_contexts', (t, bench) => {
  const clients = Array.from({ length: 3 }, (_, i) => bench.client(`client ${i}`));
  const objects = Array.from({ length: 8 }, () => bench.object());
  const [first] = objects;
  if (first !== undefined) bench.write(first, 0, 0xc0ffee);
  objects.slice(1).forEach((to, i) => {
    const [client, from] = [clients[i % 3], objects[i]];
    if (client === undefined || from === undefined) return;
    const objectsOf = [at(to, page(1)), { object: from, at: page(0) }];
    const fence = bench.submit(client, copy(page(1), page(0), BLOCK), { objects: objectsOf });
    t.ok(typeof fence !== 'number', `copy ${i} to be taken`);
  });
  const last = objects.at(-1);
  if (last !== undefined) t.equal(bench.read(last, 0), 0xc0ffee, 'what came at the end');
});

/** The kernel writes addresses into the stream, which the client did not know. */
const reloc = renderCase('gem_exec_reloc_basic_cpu', (t, bench) => {
  const client = bench.client('relocates');
  const object = bench.object();
  const words = [...fill(0, BLOCK, 0x77)];
  // The word of DEST_ADDR is where `fill` puts its address.
  const place = words.indexOf(0, 3);
  const result = bench.exec(client, words, {
    objects: [{ object, isWrite: true }],
    relocate: entries => {
      words[place] = entries[0]?.vma.start ?? 0;
      return 0;
    },
  });
  t.equal(result, 0, 'the error');
  t.equal(bench.read(object, 4), 0x77, 'what was written where the kernel led it');
});

const parse = renderCase('gen7_exec_parse_basic_rejected', (t, bench) => {
  const client = bench.client('malicious');
  const wrong: readonly (readonly number[])[] = [
    [OPCODE.at(Opcode.End), 0],
    [OPCODE.at(Opcode.Link) + 2, 0x1000],
    [OPCODE.at(Opcode.Wait) + 200, 0],
    [OPCODE.at(Opcode.Call), 0, 0, 0],
    [0xaaaa_aaaa, 0xaaaa_aaaa],
    state(GC_STATES.registers.MMUV2_CONFIGURATION.at, 0),
    state(GC_STATES.registers.EVENT.at, 0x45),
    state(GC_STATES.registers.X_AS_SELECT.at, 1),
  ];
  for (const words of wrong) {
    t.equal(bench.exec(client, words, { objects: [] }), -EINVAL, `the error of ${words.join()}`);
  }
  t.equal(bench.exec(client, NOP, { objects: [] }), 0, 'the error of a stream that is right');
  t.equal(bench.gpu.counts.exceptions, 0, 'the exceptions of the MMU');
});

/** What is checked is what runs: a client that writes its stream meanwhile changes nothing. */
const parseRace = renderCase('gen7_exec_parse_toctou', (t, bench) => {
  const client = bench.client('malicious');
  let reads = 0;
  const stream = {
    length: 2,
    word: (index: number) => (reads++ < 2 ? (NOP[index] ?? 0) : 0xaaaa_aaaa),
  };
  const { fence, error } = bench.run(client.submit(stream, { objects: [] }));
  t.equal(error, 0, 'the error');
  if (fence !== null) t.equal(bench.wait(fence), 0, 'the error of the job');
  t.equal(reads, 2, 'the times that the stream was read');
});

/** The handle goes while the GPU works; the memory outlives the job. */
const closeRace = renderCase('gem_unref_active_buffers', (t, bench) => {
  const client = bench.client('hasty');
  const keeper = bench.object();
  const object = bench.device.createObject({
    size: PAGE_SIZE,
    placement: 'pages',
    caching: 'cached',
  });
  if (typeof object === 'number') return;
  const objects = [at(object, page(0)), at(keeper, page(1))];
  const job = [...fill(page(0), BLOCK, 0x99), ...copy(page(1), page(0), BLOCK)];
  const fence = bench.submit(client, job, { objects });
  t.ok(object.gem.references > 1, 'the job to keep what it uses');
  object.gem.put();
  t.ok(!object.gem.isFree, 'the memory to be there while the GPU works');
  if (typeof fence !== 'number') t.equal(bench.wait(fence), 0, 'the error of the job');
  t.equal(bench.read(keeper, 0), 0x99, 'what came out of the object');
});

const sync = renderCase('gem_sync_basic_all', (t, bench) => {
  const client = bench.client('waits');
  const object = bench.object();
  for (let i = 0; i < 16; i++) {
    const fence = bench.submit(client, fill(page(0), PAGE_SIZE, i), {
      objects: [at(object, page(0))],
    });
    if (typeof fence === 'number') continue;
    t.ok(!fence.wasSignaled, 'the object to be busy');
    t.equal(bench.wait(fence), 0, 'the error of waiting');
    t.ok(object.resv.testSignaled('bookkeep'), 'the object not to be busy any more');
  }
});

const params = renderCase('gem_exec_params', (t, bench) => {
  const client = bench.client('wrong');
  const object = bench.object();
  const word = (length: number) => ({ length, word: () => 0x1800_0000 });
  for (const length of [0, 1, 3, -2, 0.5, 2 ** 20, NaN]) {
    const { error } = bench.run(client.submit(word(length), { objects: [] }));
    t.equal(error, -EINVAL, `the error of a stream of ${length} words`);
  }
  for (const wrong of [{ padTo: 1 }, { alignment: -1 }, { below: 2 ** 33 }, { alignment: NaN }]) {
    const error = bench.exec(client, NOP, { objects: [{ object, ...wrong }] });
    t.ok(error < 0, `${JSON.stringify(wrong)} to be refused`);
  }
  t.equal(
    bench.run(client.submit(streamOf(NOP), { objects: [{ object }] })).error,
    0,
    'the right one',
  );
});

export const EXEC: readonly Case[] = [
  ...[evictEverything, evictAlignment, softpin, softpinOverlap, softpinReverse, softpinInvalid],
  ...[
    softpinLastPage,
    softpinEvict,
    vmIsolation,
    csTlb,
    ringfill,
    whisper,
    reloc,
    parse,
    parseRace,
  ],
  ...[closeRace, sync, params],
];
