import { UnmodelledError, invariant } from '../../../drivers/base/types/errors';
import { MAX_ALIASES, checkedLines, checkerProfile } from '../coherence/profile';
import type { CheckerProfile } from '../coherence/profile';
import type { ComplexParts, CpuConfig } from '../complex-parts';
import { colours } from '../profile';
import type { CoreProfile } from '../profile';

/** What the checker needs to know of a machine's CPUs and caches. */
export interface CheckedSilicon {
  readonly profile: CheckerProfile;
  readonly lineBytes: number;
  readonly isVirtual: boolean;
  readonly colours: number;
}

/**
 * One profile for all CPUs of a machine: what any of them may do, the machine may do; the port of the
 * first is what masters are connected to. Where cores differ otherwise: UnmodelledError.
 */
export const checkedSilicon = ({ cpus, outer }: ComplexParts): CheckedSilicon => {
  const cores = cpus.map(asBuilt);
  const [first, ...others] = cores;
  invariant(first !== undefined, 'a machine has at least one CPU');
  const core = others.reduce(together, first);
  const { bytes: lineBytes, neighbours } = checkedLines(cores, outer?.line ?? null);
  const isVirtual = core.l1d?.indexing === 'vivt';
  const count = core.l1d === null || isVirtual ? 1 : colours(core.l1d);
  const profile = checkerProfile(core, {
    outer: outer === null ? 'none' : 'inclusive',
    severalCpus: cpus.length > 1,
    aliases: isVirtual ? MAX_ALIASES : Math.min(count, MAX_ALIASES),
    neighbours,
  });
  return { profile, lineBytes, isVirtual, colours: count };
};

/** The core with the caches of this machine. */
const asBuilt = ({ profile, l1d, l2 }: CpuConfig): CoreProfile => ({
  ...profile,
  l1d: profile.l1d === null ? null : { ...profile.l1d, ...l1d },
  l2: profile.l2 === null || l2 === null ? null : { ...profile.l2, ...l2 },
});

const together = (a: CoreProfile, b: CoreProfile): CoreProfile => {
  if (a.name === b.name) return a;
  const same = [
    'architecture',
    'multiprocessor',
    'writeAllocate',
    'writeThrough',
    'ncLookup',
    'walker',
    'snoopedWrite',
  ] as const;
  const differing = same.find(figure => a[figure] !== b[figure]);
  if (differing !== undefined) {
    const what = `${a.name} and ${b.name} differ in ${differing}`;
    throw new UnmodelledError('cores of two kinds on a checked machine', what);
  }
  return {
    ...a,
    l2: a.l2 ?? b.l2,
    speculativeFill: a.speculativeFill || b.speculativeFill,
    invalidateMayWriteBack: a.invalidateMayWriteBack || b.invalidateMayWriteBack,
    storeBuffer: Math.max(a.storeBuffer, b.storeBuffer),
    earlyLoads: a.earlyLoads || b.earlyLoads,
  };
};
