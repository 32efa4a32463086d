import { readFileSync, writeFileSync } from 'node:fs';
import { README, renderReadme } from './readme';

/*
 * `npm run readme [-- --check]`: writes what the README's commands print today into it, or says whether
 * it is there. Not part of `npm test`: the commands take as long as a sixth of all tests.
 */

const isCheck = process.argv.includes('--check');
const text = readFileSync(README, 'utf8');

const tell = (rendered: string): void => {
  if (rendered === text) {
    console.log('README.md: as it is');
  } else if (isCheck) {
    console.log('README.md: not what its commands print today; npm run readme writes it anew');
    process.exitCode = 1;
  } else {
    writeFileSync(README, rendered);
    console.log('README.md: written anew');
  }
};

void renderReadme(text).then(tell);
