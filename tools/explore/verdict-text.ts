import { grouped } from '../report/text';
import type { Finding } from './search';

/** For a table: `LIVELOCK 70`, with how many states there are; a star where a client may starve. */
export const verdictText = ({
  kind,
  starved,
  states,
}: Pick<Finding, 'kind' | 'starved' | 'states'>): string => {
  const isBad = kind === 'deadlock' || kind === 'livelock';
  const star = kind === 'progress' && starved !== null ? '*' : '';
  return `${isBad ? kind.toUpperCase() : kind}${star} ${grouped(states)}`;
};
