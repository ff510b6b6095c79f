import { MessageChannel, Worker } from 'node:worker_threads';
import { messageOf } from '../core/errors.js';
import { HttpFront } from './http-front.js';
import type { FromFront, FrontSettings, ToFront } from './http-wire.js';

/** An HTTP server that runs somewhere. */
export interface OpenedFront {
  post(message: ToFront): void;
  /** After it has closed: nothing of it runs any more. */
  end(): Promise<void>;
}

export interface FrontListeners {
  readonly message: (message: FromFront) => void;
  /** It ended before it was told to. */
  readonly ended: (why: string) => void;
}

export type FrontOpening = (settings: FrontSettings, listeners: FrontListeners) => OpenedFront;

/**
 * In a thread of its own: reading requests and sending answers costs as much as what most queries ask for, and the main thread has records
 * to process. The compiled program only, since threads load no other.
 */
export function frontInThread(settings: FrontSettings, { message, ended }: FrontListeners): OpenedFront {
  const thread = new Worker(new URL('./http-thread.js', import.meta.url), { workerData: settings, name: 'http' });
  let ending = false;
  thread.on('message', message);
  thread.on('error', (error) => ended(messageOf(error)));
  thread.on('exit', (code) => {
    if (!ending) ended(`its thread exited with code ${code}`);
  });
  const end = async (): Promise<void> => {
    ending = true;
    await thread.terminate();
  };
  return { post: (told) => thread.postMessage(told), end };
}

/** In this thread. */
export function frontHere(settings: FrontSettings, { message }: FrontListeners): OpenedFront {
  const { port1, port2 } = new MessageChannel();
  port1.on('message', message);
  HttpFront.open(settings, port2);
  return { post: (told) => port1.postMessage(told), end: async () => port1.close() };
}
