import { setTimeout as delay } from 'node:timers/promises';
import { promised, type StockClient } from './stock.js';

const PROBE_EVERY_MS = 500;
const PROBE_TIMEOUT_MS = 2_000;

/** Tells when no broker can be reached, and when one can again: a client reports the loss, then it is asked until a broker answers. */
export class Reachability {
  private readonly listeners: ((reachable: boolean) => void)[] = [];
  private probing = false;
  private told = true;

  /** What was told last. */
  get reachable(): boolean {
    return this.told;
  }

  onChange(listener: (reachable: boolean) => void): void {
    this.listeners.push(listener);
  }

  lost(client: StockClient): void {
    if (this.probing) return;
    this.probing = true;
    void this.probe(client);
  }

  private async probe(client: StockClient): Promise<void> {
    while (!(await answers(client))) {
      if (this.told) this.tell(false);
      await delay(PROBE_EVERY_MS, undefined, { ref: false });
    }
    this.probing = false;
    if (!this.told) this.tell(true);
  }

  private tell(reachable: boolean): void {
    this.told = reachable;
    for (const listener of this.listeners) listener(reachable);
  }
}

/** True also for a client that has been closed, which nobody waits for any more. */
async function answers(client: StockClient & { isConnected?(): boolean }): Promise<boolean> {
  if (client.isConnected?.() === false) return true;
  try {
    await promised((done) => client.getMetadata({ allTopics: false, timeout: PROBE_TIMEOUT_MS }, done));
    return true;
  } catch {
    return false;
  }
}
