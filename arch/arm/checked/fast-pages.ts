/*
 * What the fast path of a checked CPU needs of a page that is in its micro-TLB, side by side: words of
 * one array, by the slot of the page. Only that of a slot whose `va` matches means anything.
 */

/** log2 of the words of a slot. */
export const FAST_SHIFT = 2;
/** The first word of the page in RAM's pool. */
export const POOL = 0;
/** The first granule of the page, as LineStore numbers them. */
export const GRANULE = 1;
/** The access of LineStates as a bit, 0 if loads, or stores, are not for the fast path. */
export const LOADS = 2;
export const STORES = 3;
