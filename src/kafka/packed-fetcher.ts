import type { Fetched, Fetcher } from './fetched.js';
import type { PackedAddon, PackedHandle } from './native/addon.js';
import { PackedRead } from './packed-batch.js';
import type { StockError } from './stock.js';

const NOTHING: Fetched = { records: 0, batches: [], events: [] };

/** Records as the addon gives them: one piece of memory a read. */
export class PackedFetcher implements Fetcher {
  constructor(
    private readonly addon: PackedAddon,
    private readonly handle: PackedHandle,
  ) {}

  async fetch(max: number, timeoutMs: number): Promise<Fetched> {
    try {
      const memory = await this.addon.read(this.handle, max, timeoutMs);
      return memory === undefined ? NOTHING : new PackedRead(memory);
    } catch (error) {
      const { code, message } = error as StockError;
      if (typeof code !== 'number') throw error;
      return { records: 0, batches: [], events: [{ code, topic: undefined, partition: -1, text: message }] };
    }
  }

  detach(): Promise<void> {
    return this.addon.detach(this.handle);
  }
}
