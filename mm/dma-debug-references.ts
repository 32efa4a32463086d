import { DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type {
  DmaCall,
  DmaKind,
  DmaMemoryCall,
  SgCall,
  SgPiece,
} from '../drivers/base/types/observer';
import type { Reference } from './dma-debug-entries';
import type { DebugVersion, EntryType } from './dma-debug-text';

/** A call as dma-debug keeps and compares it; `address` is what of its memory it names. */
export const referenceOf = (
  call: DmaCall | DmaMemoryCall,
  version: DebugVersion,
  address: number | null = null,
): Reference => {
  const { device, driver, busAddress, size, direction, kind, attrs } = call;
  const isMmio = kind === 'resource' && !hasDmaAttr(attrs, DmaAttr.Mmio);
  return {
    type: typeOf(kind, version),
    device,
    driver,
    busAddress,
    size,
    direction,
    sgCallEnts: 0,
    attrs: isMmio ? attrs + DmaAttr.Mmio : attrs,
    address,
  };
};

/** A segment of a scatter list, as the entry that carries its bus address has it. */
export const listReferenceOf = (call: SgCall, piece: SgPiece): Reference => {
  const { device, driver, direction, attrs, entries } = call;
  return {
    type: 'scatter-gather',
    device,
    driver,
    busAddress: piece.busAddress,
    size: piece.busLength,
    direction,
    sgCallEnts: entries.length,
    attrs,
    address: piece.address,
  };
};

/** Before there was a type for them, what dma_alloc_pages gives was a mapping as any other. */
const typeOf = (kind: DmaKind, version: DebugVersion): EntryType => {
  switch (kind) {
    case 'linked':
      return 'phy';
    case 'single':
    case 'resource':
      return version === 'newest' ? 'phy' : kind;
    case 'noncoherent':
      return version === '6.1' ? 'single' : kind;
    case 'scatter-gather':
    case 'coherent':
      return kind;
  }
};

/** The driver has said that it shares lines on purpose. */
export const ignoresLines = ({ attrs }: Reference): boolean =>
  hasDmaAttr(attrs, DmaAttr.DebuggingIgnoreCachelines) ||
  hasDmaAttr(attrs, DmaAttr.RequireCoherent);
