import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Damage } from './finding.js';
import { unreadable } from './unreadable.js';

/** A multiple of the logs' 32 KB blocks; the sums of so many bytes take far less than 10 ms. */
const CHUNK_BYTES = 256 * 1024;

export interface Pace {
  /** Called after every read with the bytes read so far, of all files. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Bytes a second on average, for work that must not be felt. Default: as fast as it goes. */
  readonly bytesPerSecond?: number | undefined;
  /** Ends the work with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Reads files piece by piece, never faster than the pace, and lets the event loop run after each piece. */
export class PacedReader {
  private readonly buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  private bytes = 0;
  private nextAt = 0;

  constructor(private readonly pace: Pace) {}

  /** Opens `path` for `work`. What the disk cannot give back is a Damage, a missing file too. */
  async withFile<T>(path: string, work: (file: PacedFile) => Promise<T>): Promise<T> {
    this.pace.signal?.throwIfAborted();
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'r');
      const { size } = await handle.stat();
      return await work(new PacedFile(handle, size, this.buffer, (bytes) => this.keepPace(bytes)));
    } catch (error) {
      throw explained(path, error);
    } finally {
      await handle?.close();
    }
  }

  private async keepPace(bytes: number): Promise<void> {
    const { onBytes, bytesPerSecond, signal } = this.pace;
    signal?.throwIfAborted();
    this.bytes += bytes;
    onBytes?.(this.bytes);
    if (bytesPerSecond === undefined) return;
    const now = performance.now();
    this.nextAt = Math.max(this.nextAt, now) + (1000 * bytes) / bytesPerSecond;
    await sleep(this.nextAt - now, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** One open file; its size is that of the moment when it was opened. */
export class PacedFile {
  constructor(
    private readonly handle: FileHandle,
    readonly size: number,
    private readonly buffer: Buffer,
    private readonly keepPace: (bytes: number) => Promise<void>,
  ) {}

  /** A copy of the bytes from `from` to `to`. */
  async read(from: number, to: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(to - from);
    await this.fill(bytes, from);
    return bytes;
  }

  /** The bytes from 0 to `to` in pieces of 256 KB, the last one shorter; each is overwritten by the next. */
  async *chunks(to: number): AsyncGenerator<Buffer> {
    for (let from = 0; from < to; from += CHUNK_BYTES) {
      const chunk = this.buffer.subarray(0, Math.min(CHUNK_BYTES, to - from));
      await this.fill(chunk, from);
      yield chunk;
    }
  }

  private async fill(bytes: Buffer, from: number): Promise<void> {
    for (let filled = 0; filled < bytes.length; ) {
      const { bytesRead } = await this.handle.read(bytes, filled, bytes.length - filled, from + filled);
      if (bytesRead === 0) throw new Damage(from + filled, 'the file ends too early');
      filled += bytesRead;
    }
    await this.keepPace(bytes.length);
  }
}

/** A place that the disk cannot read is damage. */
function explained(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return error;
  if (error.code === 'ENOENT') return new Damage(0, 'the file is missing');
  if (error.code === 'EIO') return new Damage(0, `the disk cannot read it: ${error.message}`);
  return unreadable(path, error);
}
