/*
 * The tests of other projects that a GPU and its kernel side are held to, and what there is of them here. Names
 * are those of IGT, of selftests and of KUnit cases.
 */

/** `ported`: by these cases or files; `differs`: the same, but for what is said; `open`: not there. */
export type ParityStatus = 'ported' | 'differs' | 'open';

export interface ParityRow {
  readonly test: string;
  readonly status: ParityStatus;
  /** Cases of the suite, as names or beginnings of names. */
  readonly cases: readonly string[];
  /** Test files. */
  readonly files: readonly string[];
  /** What differs, or what is missing. */
  readonly note: string;
}

const row = (
  test: string,
  status: ParityStatus,
  where: { readonly cases?: readonly string[]; readonly files?: readonly string[] },
  note = '',
): ParityRow => ({ test, status, cases: where.cases ?? [], files: where.files ?? [], note });

/** The rows of priority P0, in their order. */
export const PARITY: readonly ParityRow[] = [
  row(
    'gem_evict_everything',
    'differs',
    { cases: ['gem_evict_everything_minor'] },
    'minor only: nothing is swapped or locked in memory here',
  ),
  row('gem_evict_alignment', 'differs', { cases: ['gem_evict_alignment_minor'] }, 'minor only'),
  row(
    'gem_ppgtt shrink-vs-evict-*',
    'differs',
    { files: ['tests/drivers/gpu/drm/exec.test.ts'] },
    'contended locks in the passes of the reservation, without a shrinker',
  ),
  row(
    'gem_exec_gttfill',
    'differs',
    { cases: ['gem_ringfill_basic'] },
    'the ring is filled, not the aperture',
  ),
  row(
    'gem_softpin',
    'differs',
    { cases: ['gem_softpin_'] },
    'noreloc, overlap, reverse, invalid, 32b-excludes-last-page, evict-active; no snooping, no prime',
  ),
  row(
    'gem_exec_reloc basic-*',
    'differs',
    { cases: ['gem_exec_reloc_basic_cpu'] },
    'the stream is the kernel’s copy: there is one way to write it',
  ),
  row('gem_vm_create', 'ported', { cases: ['gem_vm_create_isolation'] }),
  row('gem_exec_params', 'differs', { cases: ['gem_exec_params'] }, 'parameters of this interface'),
  row(
    'gem_exec_create, gem_close_race, gem_unref_active_buffers, gem_request_retire',
    'differs',
    { cases: ['gem_unref_active_buffers', 'pan_submit_and_close'] },
    'gem_exec_create has no case of its own',
  ),
  row('KUnit drm_mm', 'ported', { files: ['tests/drivers/gpu/drm/mm.test.ts'] }),
  row(
    'i915 selftests evict',
    'differs',
    { files: ['tests/drivers/gpu/drm/exec.test.ts'] },
    'those of address space',
  ),
  row('test-ww_mutex', 'ported', { files: ['tests/drivers/base/kernel/ww-mutex.test.ts'] }),
  row(
    'igt_gem_coherency',
    'differs',
    { cases: ['igt_gem_coherency_'] },
    'over, write and read by cpu, uncached, wc and gpu; the CPU has no window of the GPU’s. Each sync is left out, too',
  ),
  row(
    'gem_exec_flush',
    'differs',
    { cases: ['igt_gem_coherency_', 'a_forgotten_flush_of_the_gpu_caches_is_found'] },
    'as combinations of igt_gem_coherency',
  ),
  row(
    'prime_mmap_coherency',
    'differs',
    { cases: ['igt_gem_coherency_'] },
    'without dma-buf: prep and fini are what the ioctl is there',
  ),
  row('gem_mmap_wc/gtt coherency', 'ported', {
    cases: ['igt_gem_coherency_write_wc_', 'igt_gem_coherency_write_uncached_'],
  }),
  row(
    'gem_caching, gem_partial_pwrite_pread',
    'differs',
    { cases: ['gem_caching_'] },
    'by prep and fini; neighbours in a line are of one object. Each sync is left out, too',
  ),
  row(
    'gem_concurrent_blit',
    'open',
    {},
    'hazards of objects in use are waited for by cpuPrep; there is no matrix',
  ),
  row('gem_cs_tlb, igt_cs_tlb', 'ported', {
    cases: ['gem_cs_tlb', 'a_forgotten_tlb_flush_is_found'],
  }),
  row(
    'gem_exec_whisper basic-*',
    'differs',
    { cases: ['gem_exec_whisper_basic_contexts'] },
    'contexts only, and copies in place of batches that write batches',
  ),
  row(
    'gem_sync, gem_busy, gem_wait',
    'differs',
    { cases: ['gem_sync_basic_all', 'msm_recovery_hangcheck'] },
    'no case of write-busy',
  ),
  row(
    'gem_exec_fence',
    'differs',
    { files: ['tests/mm/dma-buf/fence.test.ts'] },
    'the fences, without sync_file',
  ),
  row('gem_ringfill', 'ported', { cases: ['gem_ringfill_basic'] }),
  row(
    'msm_recovery',
    'differs',
    { cases: ['msm_recovery_hangcheck', 'pan_unhandled_pagefault'] },
    'iova-fault-stress has no case',
  ),
  row(
    'panfrost_submit',
    'differs',
    { cases: ['pan_unhandled_pagefault', 'pan_submit_and_close'] },
    'two of nine; the others are of its interface',
  ),
  row('gen7_exec_parse, gen9_exec_parse', 'ported', {
    cases: ['gen7_exec_parse_basic_rejected', 'gen7_exec_parse_toctou'],
    files: ['tests/drivers/gpu/vivante/driver.test.ts'],
  }),
  row(
    'xe_exec_fault_mode',
    'differs',
    { cases: ['xe_exec_fault_mode_', 'a_job_that_may_fault_has_no_fence'] },
    'basic, prefetch, rebind, invalidate, invalid-va; no userptr, no immediate',
  ),
  row('prime_vgem', 'open', {}, 'needs dma-buf between a GPU and a camera'),
  row('dma-buf selftests: dma-fence, chain, unwrap, resv', 'ported', {
    files: ['tests/mm/dma-buf/fence.test.ts', 'tests/mm/dma-buf/fence-containers.test.ts'],
  }),
];
