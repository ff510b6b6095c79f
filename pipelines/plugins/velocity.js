import { defineProcessor } from 'kstreamd';
import { z } from 'zod';

const HOUR = 3_600_000;

/** Adds `score`: how close a card comes to its payments per hour, 1 from the first one too many. */
export const Velocity = defineProcessor({
  summary: 'Scores payments by how many their card made within an hour.',
  options: z.strictObject({ maxPerHour: z.int().positive() }),
  stores: { velocity: {} },
  atMostOne: true,
  create: ({ maxPerHour }) => new VelocityProcessor(maxPerHour),
});

class VelocityProcessor {
  constructor(maxPerHour) {
    this.maxPerHour = maxPerHour;
  }

  init(context) {
    this.context = context;
    this.store = context.store('velocity');
  }

  process(record) {
    const before = this.store.get(record.key);
    const running = before !== null && record.timestamp < before.since + HOUR;
    const now = running ? { since: before.since, n: before.n + 1 } : { since: record.timestamp, n: 1 };
    this.store.put(record.key, now);
    const score = now.n > this.maxPerHour ? 1 : now.n / (2 * this.maxPerHour);
    this.context.forward(record.withValue({ ...record.value, score }));
  }
}
