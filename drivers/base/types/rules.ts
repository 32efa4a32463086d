/*
 * The rules that a finding can name. Each is explained, with wrong and right code that the tests
 * run, by `dmabench rules ID`; its id is part of the interface.
 */

/** An error corrupts data or may; a warning is forbidden and harmless here; a note asks to look. */
export type Severity = 'error' | 'warning' | 'note';

interface RuleText {
  readonly severity: Severity;
  /** What is wrong, in one sentence. */
  readonly sentence: string;
}

/** Every rule by its id. */
export const RULES = {
  'stale-cpu-read': {
    severity: 'error',
    sentence: 'The CPU may read bytes from a cache that are older than what a device has written.',
  },
  'stale-device-read': {
    severity: 'error',
    sentence: 'A device may read bytes that are older than what the CPU has written.',
  },
  'lost-device-write': {
    severity: 'error',
    sentence: 'What a device has written may be overwritten or dropped before anyone reads it.',
  },
  'lost-cpu-write': {
    severity: 'error',
    sentence: 'What the CPU has written may be dropped before anyone reads it.',
  },
  'refill-after-invalidate': {
    severity: 'error',
    sentence:
      'A line was invalidated before the device wrote only: it may have been fetched again since.',
  },
  'dirty-line-over-device-data': {
    severity: 'error',
    sentence: 'A line is dirty while a device writes to it: its write-back may overwrite the data.',
  },
  'shared-line': {
    severity: 'error',
    sentence: 'A DMA buffer shares a cache line with something that is in use meanwhile.',
  },
  'invalidate-of-dirty-bytes': {
    severity: 'error',
    sentence: 'An invalidation drops bytes that somebody else wrote into the same line.',
  },
  'never-written-bytes': {
    severity: 'note',
    sentence:
      'Bytes are used that nobody has written since the memory was allocated or given away.',
  },
  'cpu-access-to-device-buffer': {
    severity: 'error',
    sentence: 'The CPU touches a buffer that belongs to the device.',
  },
  'cpu-access-in-transfer': {
    severity: 'error',
    sentence: 'The CPU touches or maintains memory that a transfer is under way to or from.',
  },
  'cpu-access-after-free': {
    severity: 'error',
    sentence: 'The CPU touches a block of a DMA pool that was given back.',
  },
  'device-access-unmapped': {
    severity: 'error',
    sentence: 'A device touches memory that no mapping has given it.',
  },
  'device-access-not-given': {
    severity: 'error',
    sentence:
      'A device touches what the CPU wrote to a buffer synced for it, which was not given back.',
  },
  'device-access-against-direction': {
    severity: 'error',
    sentence:
      'A device writes a buffer that was mapped for it to read, or reads one it is to write.',
  },
  'device-access-after-unmap': {
    severity: 'error',
    sentence:
      'A device touches a buffer after it was unmapped, or memory of its own after it was freed.',
  },
  'memory-type-mismatch': {
    severity: 'error',
    sentence: 'One page is mapped with two memory types.',
  },
  'cacheability-mismatch': {
    severity: 'error',
    sentence:
      'A page is mapped cacheable and non-cacheable at once, and this core makes that harmful.',
  },
  'stale-translation': {
    severity: 'error',
    sentence: 'A translation may be used that was changed and not yet invalidated in the TLB.',
  },
  'lazy-invalidation': {
    severity: 'note',
    sentence:
      'A device that did not stop may still reach what was unmapped: lazy mode invalidates later.',
  },
  'table-freed-in-use': {
    severity: 'error',
    sentence: "Memory of an IOMMU's table is given back while the IOMMU may still walk there.",
  },
  'stale-device-cache': {
    severity: 'error',
    sentence: 'A cache inside a device may have other bytes than memory: it was not flushed.',
  },
  'stale-table-word': {
    severity: 'error',
    sentence: 'The table walker may read an entry that is older than what the CPU has written.',
  },
  'missing-write-barrier': {
    severity: 'error',
    sentence: 'A device may act before what was written for it has left the store buffer.',
  },
  'missing-completion': {
    severity: 'error',
    sentence: 'Cache maintenance was issued, and nothing has waited for it to complete.',
  },
  'missing-outer-sync': {
    severity: 'error',
    sentence: 'What was written may still wait in the buffer of the outer cache.',
  },
  'missing-read-barrier': {
    severity: 'error',
    sentence: 'Data may have been read before the status that says it is there.',
  },
  'coherent-in-tree-only': {
    severity: 'error',
    sentence: 'The device tree says dma-coherent, and the device does not snoop.',
  },
  'coherent-in-hardware-only': {
    severity: 'error',
    sentence: 'The device snoops, and the device tree does not say dma-coherent.',
  },
  'dma-debug': {
    severity: 'error',
    sentence: 'The DMA API is used against its contract, as the kernel itself can tell.',
  },
} as const satisfies Readonly<Record<string, RuleText>>;

export type RuleId = keyof typeof RULES;
