/**
 * What the memory of one CPU asks the adversary each time the architecture leaves it a choice. The
 * adversary's own steps, which nobody asks for, are another matter: Whims.
 */
export interface Leeway {
  /**
   * A store that waits only because an older one does goes as soon as that has gone, and one of a
   * later epoch waits for it instead of pushing it out.
   */
  readonly storesFollow: boolean;
  /** True: this store to a physical word waits in the store buffer instead of going out at once. */
  delaysStore(cached: boolean, word: number): boolean;
  /**
   * True: this maintenance operation stays pending until something completes it. The first word of
   * its line; -1 if it is not about a line, or a virtual cache took the address untranslated.
   */
  delaysMaintenance(word: number): boolean;
  /** True: an invalidate of a dirty line writes it back first, on a core that may. */
  writesBackOnInvalidate(word: number): boolean;
  /**
   * Whether an operation by set and way of this CPU misses the line of a word: where several cores can
   * be coherent, nothing keeps a line where it is while a cache is walked (ARM DDI 0487 D7.5).
   */
  passesBy(word: number, cpu: number): boolean;
}
