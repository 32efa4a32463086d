/*
 * Three kinds of address that never mix. Each is a plain number below 2^53, branded so that
 * handing a device a CPU or physical address does not compile.
 */

declare const unit: unique symbol;
type Branded<Name extends string> = number & { readonly [unit]: Name };

/** Where RAM and device windows live on the CPU's side of every bus. */
export type PhysAddr = Branded<'phys'>;

/** What a device puts on the wire: an IOVA behind an IOMMU, a bus address otherwise. */
export type DmaAddr = Branded<'dma'>;

/**
 * What code on the CPU dereferences. A 64-bit virtual address is held modulo 2^52: the upper
 * half of the AArch64 map, 0xffff_xxxx_xxxx_xxxx, is the numbers from 2^51 up.
 */
export type CpuAddr = Branded<'cpu'>;

/** Simulated nanoseconds since power-on. */
export type Ticks = Branded<'ticks'>;

export type Address = PhysAddr | DmaAddr | CpuAddr;

/** Says that a number is a physical address; nothing is checked. */
export const physAddr = (value: number): PhysAddr => value as PhysAddr;
/** Says that a number is what a device puts on the wire; nothing is checked. */
export const dmaAddr = (value: number): DmaAddr => value as DmaAddr;
/** Says that a number is a virtual address, folded as CpuAddr has it; nothing is checked. */
export const cpuAddr = (value: number): CpuAddr => value as CpuAddr;
/** Says that a number is simulated nanoseconds; nothing is checked. */
export const ticks = (value: number): Ticks => value as Ticks;

/** The address `bytes` further on, of the same kind. */
export const offsetBy = <A extends Address>(address: A, bytes: number): A => (address + bytes) as A;

/** First CpuAddr of the AArch64 upper half (see CpuAddr). */
export const UPPER_HALF = 2 ** 51;

/** A number as the kernel prints it: lower-case hexadecimal, no leading zeros. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** A CPU address in its canonical 64-bit spelling. */
export const hexCpu = (address: CpuAddr): string =>
  address < UPPER_HALF ? hex(address) : `0xfff${address.toString(16)}`;
