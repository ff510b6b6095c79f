import { ConfigError, FatalError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { formatHttpAddress, type HttpAddress } from './http-address.js';
import type { FrontOpening, OpenedFront } from './http-opening.js';
import type { Asked, FromFront, FrontSettings, Told } from './http-wire.js';

type NotListening = Extract<FromFront, { kind: 'not-listening' }>;
type OnAsked = (asked: readonly Asked[], gone: readonly number[]) => void;

/** The daemon's end of the port to an HTTP server: `listen` once, `tell` what is asked, `close` at the end. */
export class FrontLink {
  private readonly front: OpenedFront;
  private onMessage: (message: FromFront) => void = () => {};
  private onEnded: (error: FatalError) => void = () => {};
  private closing: Promise<void> | undefined;
  private gone = false;

  constructor(
    opening: FrontOpening,
    private readonly settings: FrontSettings,
    private readonly logger: Logger,
  ) {
    this.front = opening(settings, {
      message: (message) => this.onMessage(message),
      ended: (why) => this.ended(why),
    });
  }

  /** Where it listens; rejects with a ConfigError where it cannot. A server that ends later throws out of this: nobody would hear. */
  listen(onAsked: OnAsked): Promise<HttpAddress> {
    return new Promise((resolve, reject) => {
      this.onEnded = reject;
      this.onMessage = (message) => {
        if (message.kind === 'listening') {
          this.onEnded = thrown;
          this.onMessage = (later) => this.take(later, onAsked);
          resolve(message.address);
        } else if (message.kind === 'not-listening') {
          void this.front.end().then(() => reject(refusalOf(message, this.settings.address)));
        }
      };
    });
  }

  tell(told: readonly Told[]): void {
    this.front.post({ kind: 'told', told });
  }

  /** Stops listening and drops what is open. */
  close(): Promise<void> {
    this.closing ??= this.closed().then(() => this.front.end());
    return this.closing;
  }

  private async closed(): Promise<void> {
    if (this.gone) return;
    await new Promise<void>((resolve) => {
      this.onEnded = () => resolve();
      this.onMessage = ({ kind }) => {
        if (kind === 'closed') resolve();
      };
      this.front.post({ kind: 'close' });
    });
  }

  /** Its first word counts: an error is followed by the end. */
  private ended(why: string): void {
    if (this.gone) return;
    this.gone = true;
    this.onEnded(new FatalError('http/ended', `the HTTP server ended: ${why}`, { fix: 'start the daemon again' }));
  }

  private take(message: FromFront, onAsked: OnAsked): void {
    if (message.kind === 'asked') onAsked(message.asked, message.gone);
    else if (message.kind === 'trouble') this.logger.error({ err: message.message }, 'HTTP server failed');
  }
}

function thrown(error: Error): never {
  throw error;
}

function refusalOf({ reason, code, message }: NotListening, address: HttpAddress): ConfigError {
  if (reason === 'address') return listenError({ code, message }, address);
  return new ConfigError('http/tls', `the certificate or its key cannot be used: ${message}`, {
    fix: 'give PEM files: the certificate with those between it and its authority, and the key that belongs to it, without a password',
  });
}

function listenError({ code, message }: Pick<NotListening, 'code' | 'message'>, address: HttpAddress): ConfigError {
  const where = formatHttpAddress(address);
  const refuse = (as: string, told: string, fix: string): ConfigError => new ConfigError(as, told, { fix });
  switch (code) {
    case 'EADDRINUSE':
      return refuse('http/port-in-use', `another process listens on ${where}`, 'give another port with --http HOST:PORT; port 0 takes any free one');
    case 'EACCES':
      return refuse('http/port-forbidden', `this user may not listen on ${where}`, 'give a port from 1024 on with --http HOST:PORT');
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return refuse('http/host-unknown', `${address.host} is no address of this machine`, 'give 127.0.0.1, or 0.0.0.0 for all interfaces, with --http');
    default:
      return refuse('http/listen', `cannot listen on ${where}: ${message}`, 'give another address with --http, or --http off');
  }
}
