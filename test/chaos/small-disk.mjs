import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

const SIZE_MB = 64;

/** A disk of 64 MB in memory for the state of one instance; mounting it takes root. */
export class SmallDisk {
  /** @type {import('./instance.mjs').Instance} whose state is on it */
  instance;
  impossible;
  #folder;
  #mounted = false;

  /** @param {string} folder where it is mounted; a plain folder when that is impossible */
  constructor(folder) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MB}m`, 'kstreamd-chaos', folder], { stdio: 'pipe' });
      this.#mounted = true;
      process.once('exit', () => this.unmount());
    } catch (error) {
      this.impossible = `a tmpfs cannot be mounted here: ${String(error.stderr ?? error.message).trim()}`;
    }
  }

  /** @returns {number} the bytes that fitted */
  fill() {
    const file = openSync(this.#filler, 'w');
    let size = 0;
    try {
      for (const chunk of [Buffer.alloc(65_536), Buffer.alloc(512)]) size += writeUntilFull(file, chunk);
    } finally {
      closeSync(file);
    }
    return size;
  }

  empty() {
    rmSync(this.#filler);
  }

  /** Copies what is on it to a folder beside it, which outlives the disk. */
  keep() {
    if (this.#mounted) cpSync(this.#folder, `${this.#folder}-kept`, { recursive: true, filter: (file) => file !== this.#filler });
  }

  unmount() {
    if (!this.#mounted) return;
    execFileSync('umount', ['-l', this.#folder], { stdio: 'pipe' });
    this.#mounted = false;
  }

  get #filler() {
    return path.join(this.#folder, 'filler');
  }
}

function writeUntilFull(file, chunk) {
  for (let size = 0; ; ) {
    try {
      size += writeSync(file, chunk);
    } catch (error) {
      if (error.code === 'ENOSPC') return size;
      throw error;
    }
  }
}
