#!/usr/bin/env node
import { Exit, explain } from './exit';
import { main } from './main';
import { processHost } from './process-host';

let hasFailed = false;
let hasEnded = false;

// Not process.exit(): output that is still on its way would be lost. What fails after a failure is
// most likely the telling of it, and to tell that as well would never end.
process.on('uncaughtException', error => {
  if (hasFailed) return;
  hasFailed = true;
  const { status, text } = explain(error, (process.env['DMABENCH_DEBUG'] ?? '') !== '');
  process.exitCode = status;
  process.stderr.write(text);
});

// Who calls process.exit() must not look like a run that passed.
process.on('exit', () => {
  if (hasEnded || hasFailed) return;
  process.exitCode = Exit.Usage;
  process.stderr.write('dmabench: a module of --load has ended the process\n');
});

void main(process.argv.slice(2), processHost()).then(status => {
  hasEnded = true;
  process.exitCode ??= status;
});
