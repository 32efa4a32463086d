/**
 * What the memory of one CPU asks the adversary each time the architecture leaves it a choice. The
 * adversary's own steps, which nobody asks for, are another matter: Whims.
 */
export interface Leeway {
  /** True: this store waits in the store buffer instead of going out at once. */
  delaysStore(cached: boolean): boolean;
  /** True: this maintenance operation stays pending until something completes it. */
  delaysMaintenance(): boolean;
  /** True: an invalidate of a dirty line writes it back first, on a core that may. */
  writesBackOnInvalidate(): boolean;
}
