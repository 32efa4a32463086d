#!/usr/bin/env node
import { explain } from './exit';
import { main } from './main';
import { processHost } from './process-host';

let hasFailed = false;

// Not process.exit(): output that is still on its way would be lost. What fails after a failure is
// most likely the telling of it, and to tell that as well would never end.
process.on('uncaughtException', error => {
  if (hasFailed) return;
  hasFailed = true;
  const { status, text } = explain(error, (process.env['DMABENCH_DEBUG'] ?? '') !== '');
  process.exitCode = status;
  process.stderr.write(text);
});

void main(process.argv.slice(2), processHost()).then(status => {
  process.exitCode ??= status;
});
