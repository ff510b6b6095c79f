import { BrokerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { contactError, isRefusal, kafkaError } from './errors.js';
import { promised, type StockClient, type StockError, type StockLog } from './stock.js';

/** Bounds of the tries of a first contact, in milliseconds: a refusal is told after the first, silence after the last. */
const TRIES = [2_000, 8_000];

/** What every client reports to: its log, and the loss of all brokers. */
export interface Surroundings {
  readonly brokers: string;
  readonly logger: Logger;
  /** Removes secrets from a text. */
  redact(text: string): string;
  /** All connections of this client are down. */
  lost(client: StockClient): void;
}

/**
 * Makes a client and waits until a broker has answered it. Rejects with a BrokerError that names the broker and
 * the reason: `broker/unreachable`, `broker/authentication`, `broker/tls`, … A client that failed has closed itself.
 */
export async function contact<C extends StockClient>(make: () => C, around: Surroundings): Promise<C> {
  for (const [index, timeout] of TRIES.entries()) {
    const logged: string[] = [];
    const client = make();
    listen(client, around, logged);
    try {
      await promised((done) => client.connect({ timeout, allTopics: false }, done));
      return client;
    } catch {
      const error = contactError(around.brokers, logged);
      if (index === TRIES.length - 1 || isRefusal(error)) throw error;
    }
  }
  throw new BrokerError('broker/unreachable', `Kafka at ${around.brokers} cannot be reached`, { fix: 'Start the broker, or correct kafka.brokers.' });
}

/** The same for a client that connects by itself. */
export async function answers(client: StockClient, around: Surroundings, logged: readonly string[]): Promise<void> {
  for (const [index, timeout] of TRIES.entries()) {
    try {
      await promised((done) => client.getMetadata({ timeout, allTopics: false }, done));
      return;
    } catch (cause) {
      const error = logged.length > 0 ? contactError(around.brokers, logged) : kafkaError(cause as StockError, `Kafka at ${around.brokers}`);
      const refused = error instanceof BrokerError && isRefusal(error);
      if (refused) throw error;
      if (index === TRIES.length - 1) throw contactError(around.brokers, logged);
    }
  }
}

function listen(client: StockClient, around: Surroundings, logged: string[]): void {
  const handlers = clientEvents(around, logged, () => client);
  client.on('event.log', handlers['event.log']);
  client.on('event.error', handlers['event.error']);
}

/** Listeners for a client's events: its log goes to ours without secrets; `logged` collects what went wrong with connections. */
export function clientEvents(around: Surroundings, logged: string[], client: () => StockClient) {
  return {
    'event.log': (log: StockLog): void => {
      const text = around.redact(log.message);
      if (log.fac === 'FAIL' && logged.length < 100) logged.push(text);
      const level = log.severity <= 4 ? 'warn' : log.severity <= 6 ? 'info' : 'debug';
      around.logger[level]({ facility: log.fac }, text);
    },
    'event.error': (error: StockError): void => {
      // The code is lost on the way: the client hands out the text only.
      if (/all broker connections are down/i.test(error.message)) around.lost(client());
    },
  };
}
