import { keyIndex, timestampAt, valueAt } from './input.mjs';

/** A figure is only printed for a run that did what it should: this is thrown for any other. */
export class WrongResult extends Error {}

function expect(what, got, wanted) {
  if (got !== wanted) throw new WrongResult(`${what}: got ${got}, expected ${wanted}`);
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Each partition of the output holds the same records in the same order: all by number, 2000 at either end by their bytes. */
export async function sameRecords(cluster, input, output, partitions) {
  const ends = await cluster.ends(input, partitions);
  expect('records per partition', (await cluster.ends(output, partitions)).join(), ends.join());
  for (const from of [() => 0, (end) => Math.max(0, end - 2000)]) {
    const wanted = await slice(cluster, input, partitions, from);
    const got = await slice(cluster, output, partitions, from);
    expect('records compared', got.size, wanted.size);
    for (const [place, record] of wanted) expect(`the record at ${place}`, got.get(place), record);
  }
}

async function slice(cluster, topic, partitions, from) {
  const records = new Map();
  const visit = ({ partition, offset, key, value, timestamp }) => records.set(`${partition}@${offset}`, `${timestamp} ${key} ${value}`);
  await cluster.readAll(topic, partitions, visit, { from, limit: 2000 });
  return records;
}

/** The output holds exactly the input's records with an even `n`: all by number and timestamp. */
export async function evenRecords(cluster, output, partitions, records) {
  let wanted = 0;
  let timestamps = 0;
  for (let number = 0; number < records; number++) {
    if (valueAt(number) % 2 !== 0) continue;
    wanted++;
    timestamps += timestampAt(number) - timestampAt(0);
  }
  let got = 0;
  let gotTimestamps = 0;
  const visit = ({ timestamp }) => {
    got++;
    gotTimestamps += timestamp - timestampAt(0);
  };
  await cluster.readAll(output, partitions, visit);
  expect('records that pass the filter', got, wanted);
  expect('sum of their timestamps', gotTimestamps, timestamps);
}

/** The last count of every key is the number of its records, and no key's counts ever go back. With `each`, there is one output a record. */
export async function counts(cluster, output, partitions, expected, { each }) {
  const last = new Uint32Array(expected.length);
  let outputs = 0;
  const visit = ({ key, value }) => {
    const index = keyIndex(key);
    const count = Number(value.readBigInt64BE());
    if (count <= last[index]) throw new WrongResult(`the counts of ${key} went from ${last[index]} to ${count}`);
    last[index] = count;
    outputs++;
  };
  await cluster.readAll(output, partitions, visit);
  for (let index = 0; index < expected.length; index++) expect(`count of key ${index}`, last[index], expected[index]);
  if (each) expect('outputs', outputs, sum(Array.from(expected)));
  return outputs;
}

/** A store on disk holds, for every key, what `expected` says; 0 stands for no entry. @param {AsyncIterable<[Buffer, number]>} entries */
export async function storeHolds(entries, expected) {
  const found = new Float64Array(expected.length);
  for await (const [key, value] of entries) found[keyIndex(key)] = value;
  for (let index = 0; index < expected.length; index++) expect(`entry of key ${index} in the store`, found[index], expected[index]);
}

export { expect };
