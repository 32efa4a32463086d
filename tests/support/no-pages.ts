import type { PageServices } from '../../drivers/base/kernel/device';

/** Of a kernel that has no memory for drivers. */
export const NO_PAGES: PageServices = {
  allocPages: () => null,
  onReclaim: () => undefined,
  freePages: () => undefined,
  vmap: () => null,
  vunmap: () => undefined,
};
