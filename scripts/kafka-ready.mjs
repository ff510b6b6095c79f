import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until every broker answers that it sees `count` live brokers and a controller: from then on topics can be made and led.
 *
 * @param {() => readonly { address: string, logFile: string, state: string }[]} nodes
 * @throws when a node ends, or when it takes longer than `patienceMs`
 */
export async function clusterReady(nodes, count, patienceMs) {
  const deadline = Date.now() + patienceMs;
  for (const node of nodes) {
    while ((await liveBrokers(node.address)) < count) {
      if (node.state === 'stopped') throw new Error(`Kafka node at ${node.address} ended while it started: see ${node.logFile}`);
      if (Date.now() > deadline) throw new Error(`Kafka node at ${node.address} is not ready after ${patienceMs} ms: see ${node.logFile}`);
      await sleep(25);
    }
  }
}

/** How many live brokers the broker at `address` knows; 0 while it does not answer or has no controller. */
function liveBrokers(address) {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    let answer = Buffer.alloc(0);
    const end = (brokers) => {
      socket.destroy();
      resolve(brokers);
    };
    socket.setTimeout(2_000, () => end(0));
    socket.on('connect', () => socket.write(metadataRequest()));
    socket.on('error', () => end(0));
    socket.on('close', () => end(0));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) end(brokersIn(answer));
    });
  });
}

/** Metadata version 1 for no topic: size, api key 3, version, correlation id, client id (null), number of topics. */
function metadataRequest() {
  const request = Buffer.alloc(18);
  request.writeInt32BE(14, 0);
  request.writeInt16BE(3, 4);
  request.writeInt16BE(1, 6);
  request.writeInt16BE(-1, 12);
  return request;
}

/** size, correlation id, then brokers of { id, host, port, rack }, then the controller's id. */
function brokersIn(answer) {
  const count = answer.readInt32BE(8);
  let at = 12;
  for (let broker = 0; broker < count; broker++) {
    at += 4;
    at += 2 + answer.readInt16BE(at);
    at += 4;
    at += 2 + Math.max(0, answer.readInt16BE(at));
  }
  return answer.readInt32BE(at) < 0 ? 0 : count;
}
