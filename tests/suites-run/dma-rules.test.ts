import test from 'ava';
import { format, resolveConfig } from 'prettier';
import { DMA_RULES } from '../suites/dma-rules';
import { RULES_README, missingRules, readRules, renderRules } from './dma-rules-table';

test('the table of rules is what the rules show (npm run rules-table writes it anew)', async t => {
  const { text, failed } = renderRules();
  t.deepEqual(failed, []);
  const config = await resolveConfig(RULES_README);
  t.is(readRules(), await format(text, { ...config, parser: 'markdown' }));
});

test('every rule is in the suite, or is listed as absent', t => {
  t.deepEqual(missingRules(), []);
  const numbers = DMA_RULES.map(({ number }) => number);
  t.deepEqual(new Set(numbers).size, numbers.length);
});
