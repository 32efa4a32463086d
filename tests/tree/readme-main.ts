import { readFileSync, writeFileSync } from 'node:fs';
import { README, renderReadme } from './readme';

/* `npm run readme`: writes what the README's commands print today into it. */

const text = readFileSync(README, 'utf8');
void renderReadme(text).then(rendered => {
  writeFileSync(README, rendered);
  console.log(rendered === text ? 'README.md: as it was' : 'README.md: written anew');
});
