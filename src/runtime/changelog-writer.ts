import { OutputBatch } from '../core/output-batch.js';
import type { Sink } from '../core/transport.js';
import type { ChangelogTopic } from './changelog-topics.js';
import { storeNames } from './store-names.js';
import type { TaskState } from './task-state.js';

/** Records handed to the sink at once. */
const AT_ONCE = 2000;

/** Writes what a commit changes in a task's stores to their changelogs, one record a key (or version), into the task's own partition (S3). */
export class ChangelogWriter {
  /** Made with the first record: many tasks have no changelog. */
  private outputs: OutputBatch | undefined;

  constructor(
    private readonly state: TaskState,
    private readonly topics: readonly ChangelogTopic[],
    private readonly partition: number,
    private readonly sink: Sink,
    private readonly onSent: (topic: string, records: number, bytes: number) => void,
  ) {}

  /** Resolves when the sink has taken all; `timestamp` is that of records that have none of their own, in epoch milliseconds. */
  async write(timestamp: number): Promise<void> {
    for (const { store, topic, table } of this.topics) {
      if (table) continue; // its topic has the records already (S5)
      const values = this.state.changelogValue(store);
      const waiting: [string, Buffer | number | null, number | undefined][] = [];
      this.state.eachChange(store, (key, value, time) => waiting.push([key, value, time]), this.sink.transaction !== undefined);
      let bytes = 0;
      for (const [i, [key, value, time = timestamp]] of waiting.entries()) {
        this.outputs ??= new OutputBatch();
        const { outputs } = this;
        outputs.add(topic, this.partition, time, i);
        outputs.serializeKey(key, storeNames);
        if (typeof value === 'number') outputs.serializeValue(value, values);
        else if (value !== null) outputs.value(value);
        bytes += outputs.bytesAt(outputs.length - 1);
        if (outputs.length >= AT_ONCE) await this.send(outputs);
      }
      if (this.outputs !== undefined && this.outputs.length > 0) await this.send(this.outputs);
      if (waiting.length > 0) this.onSent(topic, waiting.length, bytes);
    }
  }

  private async send(outputs: OutputBatch): Promise<void> {
    this.outputs = undefined; // it is the sink's now, whatever comes of it
    this.outputs = await this.sink.send(outputs);
  }
}
