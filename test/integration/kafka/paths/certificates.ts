import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** An authority with the certificates it has signed, as PEM files in a folder, made by openssl. */
export class Authority {
  constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {
    this.openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', this.file('key'), '-out', this.file('crt'));
  }

  /** The authority's own certificate: file and text. */
  get certificate(): { readonly file: string; readonly pem: string } {
    return { file: this.file('crt'), pem: readFileSync(this.file('crt'), 'utf8') };
  }

  /** Signs a new key for a name that is used at 127.0.0.1; with a password the key is encrypted. `file` holds key and certificate. */
  sign(name: string, password?: string): { readonly file: string; readonly key: string; readonly cert: string } {
    const [key, request, cert] = ['key', 'csr', 'crt'].map((suffix) => this.file(suffix, name)) as [string, string, string];
    const extensions = this.file('ext', name);
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1\n');
    const secret = password === undefined ? ['-nodes'] : ['-passout', `pass:${password}`];
    this.openssl('req', '-newkey', 'rsa:2048', ...secret, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
    const by = ['-CA', this.file('crt'), '-CAkey', this.file('key'), '-CAcreateserial'];
    this.openssl('x509', '-req', '-in', request, ...by, '-days', '2', '-extfile', extensions, '-out', cert);
    const pem = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
    writeFileSync(this.file('pem', name), pem.key + pem.cert);
    return { file: this.file('pem', name), ...pem };
  }

  private file(suffix: string, name = 'authority'): string {
    return path.join(this.folder, `${this.name}-${name}.${suffix}`);
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
