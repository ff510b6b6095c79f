/** The part of avsc that reads and writes primitives; its own types leave it out. */
declare module 'avsc/lib/utils.js' {
  class Tap {
    buf: Buffer;
    pos: number;
    constructor(buf: Buffer, pos: number);
    readBoolean(): boolean;
    readInt(): number;
    readLong(): number;
    readFloat(): number;
    readDouble(): number;
    readFixed(length: number): Buffer;
    readBytes(): Buffer;
    readString(): string;
    skipInt(): void;
    skipLong(): void;
    skipFixed(length: number): void;
    skipBytes(): void;
    skipString(): void;
    unpackLongBytes(): Buffer;
  }
  const internals: { readonly Tap: typeof Tap };
  export default internals;
}
