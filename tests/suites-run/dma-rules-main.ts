import { existsSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { RULES_README, readRules, renderRules } from './dma-rules-table';

/* `npm run rules-table`: writes what the rules show today into tests/suites/README.md. */

const write = async (): Promise<void> => {
  const config = await resolveConfig(RULES_README);
  const text = await format(renderRules().text, { ...config, parser: 'markdown' });
  const before = existsSync(RULES_README) ? readRules() : '';
  writeFileSync(RULES_README, text);
  console.log(`tests/suites/README.md: ${text === before ? 'as it was' : 'written anew'}`);
};

void write();
