import type { DaemonProcess } from './daemon-process.js';

export interface StoreAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: any;
}

/** What a daemon answers below `/stores`; rejects while nobody listens. */
export async function askStores(daemon: DaemonProcess, route = ''): Promise<StoreAnswer> {
  const url = daemon.log.find(({ msg }) => msg.startsWith('answering'))?.url;
  if (url === undefined) throw new Error('the daemon does not listen yet');
  const answer = await fetch(`${String(url)}/stores${route}`);
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.json() };
}
