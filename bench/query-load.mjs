/**
 * A process of its own that asks a server over a number of connections, each asking again as soon as it was answered. Told by IPC what
 * to ask (every so manieth for some entries in a row, the others by key) and a file for the answers; tells how long each took, in milliseconds.
 */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';

const HEAD_END = '\r\n\r\n';
/** One connection, one request at a time: HTTP/1.1 as far as the daemon speaks it, for a tenth of what a whole client costs. */
class Connection {
  #socket;
  #text = '';
  #answered;
  #failed;

  static async open(port) {
    const connection = new Connection();
    connection.#socket = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
    await new Promise((resolve, reject) => connection.#socket.once('connect', resolve).once('error', reject));
    connection.#socket.on('data', (chunk) => connection.#take(chunk));
    connection.#socket.on('close', () => connection.#failed?.(new Error('the daemon closed a connection')));
    return connection;
  }

  get(path) {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    });
  }

  close() {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #take(chunk) {
    this.#text += chunk;
    const head = this.#text.indexOf(HEAD_END);
    if (head < 0) return;
    const body = head + HEAD_END.length;
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1]);
    if (this.#text.length < body + length) return;
    const answer = { status: Number(this.#text.slice(9, 12)), text: this.#text.slice(body) };
    this.#text = '';
    this.#answered(answer);
  }
}

process.on('message', async ({ port, connections, queries, keys, seed, rangeEvery, file }) => {
  const opened = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const answers = [];
  const times = { get: [], range: [] };
  let asked = 0;
  const began = performance.now();
  const work = async (connection) => {
    while (asked < queries) {
      const number = asked++;
      const key = `k${(Math.imul(number + seed, 2_654_435_761) >>> 0) % keys}`;
      const kind = (number + 1) % rangeEvery === 0 ? 'range' : 'get';
      const path = kind === 'range' ? `/stores/main-count?from=${key}&limit=10` : `/stores/main-count/${key}`;
      const started = performance.now();
      const { status, text } = await connection.get(path);
      times[kind].push(performance.now() - started);
      answers.push({ status, text });
    }
  };
  await Promise.all(opened.map(work));
  for (const connection of opened) connection.close();
  const seconds = (performance.now() - began) / 1000;
  writeFileSync(file, JSON.stringify(answers));
  process.send({ seconds, times });
});
