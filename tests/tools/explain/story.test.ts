import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { explainHuman, listHuman } from '../../../tools/explain/explain-human';
import { storyLines } from '../../../tools/explain/story-human';
import type { Story } from '../../../tools/explain/story';
import { withVersions } from '../../../tools/explain/versions';
import { painter } from '../../../tools/report/text';
import { AT_REST, finding, kept, lostStory, refillStory } from '../../support/findings';
import { KeptOutput } from '../../support/host';

const plain = (_style: string, text: string): string => text;
const told = (story: Story, width = 80): string =>
  storyLines(story, finding(), plain, width).join('\n');

test('a story has a row for each step, and after each what every place holds', t => {
  t.is(
    told(refillStory()),
    `What happened to the byte at 0x80012344

      event  CPU     inner   outer   memory  device
             ·       A       ·       A       ·       before
         20  B…      A!      ·       A!      ·       CPU0 stores: B
                                                     drivers/net/eth.ts:20
          ~  ·       B*      ·       A!      ·       the store leaves the store
                                                     buffer
         22  ·       ·       ·       B       ·       CPU0 cleans and invalidates
                                                     the line
                                                     drivers/net/eth.ts:22
          ~  ·       B       ·       B       ·       the inner cache fetches the
                                                     line
         30  ·       B!      ·       C       C       dma-controller@4a056000
                                                     writes: C
                                                     drivers/net/eth.ts:30
          +  dmaSyncSingleForCpu(0x80012340, 256) is missing here
✗        40  B!      B!      ·       C       ·       CPU0 loads, and may get B:
                                                     C is the latest
                                                     drivers/net/eth.ts:40

  A, B: what was written, in this order; * dirty; … on its way; ! overtaken by a
  later write; ~ done unasked, as this machine may; ✗ where it goes wrong`,
  );
});

test('a write that is lost is told where the last copy goes', t => {
  const text = told(lostStory(), 100);
  t.regex(text, /✗ +30 +· +B\*! +· +C +C +dma-controller@4a056000 writes: C\n/);
  t.regex(
    text,
    /~ +· +B! +· +B! +· +the inner cache writes the line back: C is\n +lost, no copy is left of it\n/,
  );
});

test('a story fits its width, and colour adds nothing to it', t => {
  for (const width of [80, 100]) {
    const lines = told(refillStory(), width).split('\n');
    t.true(lines.every(line => line.length <= width));
  }
  const painted = storyLines(refillStory(), finding(), painter(new KeptOutput(80)), 80).join('\n');
  t.true(painted.includes('\u001b[33m'));
  t.is(stripVTControlCharacters(painted), told(refillStory()));
});

test('only the lanes that the machine has are shown', t => {
  const text = told({ ...refillStory(), lanes: ['cpu', 'inner', 'memory', 'device'] });
  t.false(text.includes('outer '));
});

test('many events that changed nothing are one line', t => {
  const story = refillStory();
  const [first, ...rest] = story.rows;
  if (first === undefined) throw new Error('no rows');
  const dull = Array.from({ length: 40 }, (_, i) => ({
    ...first,
    ...{ event: 20 + i, what: 'stores beside it', effect: 'other' as const },
  }));
  const text = told({ ...story, rows: [first, ...dull, ...rest], goal: story.goal + 40 });
  t.true(text.includes('⋮ 40 events of this line that changed nothing here\n'));
});

test('a story begins where its memory was new', t => {
  const story = refillStory();
  const old = story.rows.slice(0, 3);
  const fresh = {
    ...{ event: 19, actor: 'cpu' as const, by: '', what: 'the memory is new', at: 'a.ts:1' },
    ...{ effect: 'forget' as const, places: { ...AT_REST, inner: ['clean' as const] } },
  };
  const rows = [...old, fresh, ...story.rows];
  const text = told({ ...story, rows, goal: story.goal + 4 });
  t.is(text.split('CPU0 stores').length, 2);
  t.regex(text, /memory {2}device\n +· +\? +· +\? +· +before\n +20 /);
});

test('a copy that is overtaken keeps the version it had, and hands it on', t => {
  const { rows } = withVersions(lostStory());
  t.deepEqual(
    rows.map(({ places, latest }) => [places.inner[0]?.version, places.memory.version, latest]),
    [
      [1, 0, 1],
      [1, 2, 2],
      [1, 1, 2],
    ],
  );
});

test('what nobody can tell is old, not guessed', t => {
  const story = { ...refillStory(), before: { ...AT_REST, inner: ['clean-stale' as const] } };
  const [row] = withVersions(story).rows;
  t.is(row?.places.inner[0]?.version, null);
  t.regex(told(story), /· +old! +· +A +· +before/);
});

test('an explanation ends with the command that shows it, and says how much chance it takes', t => {
  const explained = {
    kept: kept({ story: refillStory(), because: 'the line was fetched again' }),
    replay: 'dmabench run b --adversary script:f.1.jsonl',
    withoutReplay: null,
  };
  const text = explainHuman(explained, plain, 80);
  t.true(text.startsWith('Finding 1: error: refill-after-invalidate\n'));
  t.true(text.endsWith('To see it happen\n  dmabench run b --adversary script:f.1.jsonl\n'));
  t.true(text.includes('It takes 2 steps that nobody asked for (marked ~).'));
  t.true(text.includes('The line was fetched again.\n'));
  t.true(text.includes("'dmabench rules refill-after-invalidate' shows"));
});

test('a finding with evidence of its own has no story and needs none', t => {
  const text = explainHuman(
    { kept: kept({ proof: 'evidence' }), replay: null, withoutReplay: null },
    plain,
    80,
  );
  t.true(text.includes('it is wrong whatever the caches do'));
  t.false(text.includes('To see it happen'));
});

test('a list has a line for each finding, and says how to go on', t => {
  t.is(listHuman('f', [], plain, 80), 'f: no findings\n');
  t.is(
    listHuman('f', [kept()], plain, 80),
    `f: 1 finding
  #1  refill-after-invalidate  CPU load at drivers/net/eth.ts:40

'dmabench explain f#N' tells the story of one.
`,
  );
});
