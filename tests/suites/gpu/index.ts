import type { Suite } from '../suite';
import { withoutGpu } from './bench';
import { CACHING } from './caching';
import { COHERENCY } from './coherency';
import { EXEC } from './exec';
import { FAULT } from './fault';
import { FORGOTTEN } from './forgotten';
import { HANG } from './hang';
import { poisonedRing } from './poisoned-ring';

/** One suite, as each takes a machine of its own to find that there is no GPU. */
export const gpuSuite: Suite = {
  name: 'gpu',
  summary: 'a GPU: coherency, address spaces, submission, hangs and faults',
  unfit: withoutGpu,
  cases: [poisonedRing, ...EXEC, ...HANG, ...FAULT, ...FORGOTTEN, ...CACHING, ...COHERENCY],
};
