import { writeFileSync } from 'node:fs';

export const PARTITIONS = 6;
/** Tasks of one sub-topology for both flows' input, and of one behind the repartition topic. */
export const TASKS = 2 * PARTITIONS;
export const SESSION_TIMEOUT_MS = 3000;
/** Less than 1.5 sessions: what a frozen instance had open is aborted before it thaws. */
export const TRANSACTION_TIMEOUT_MS = 4000;

export const NAME = 'chaos';
export const INPUT = 'chaos-in';
export const STORES = { direct: 'direct-count', regrouped: 'regrouped-count' };
export const OUTPUTS = { direct: 'chaos-direct', regrouped: 'chaos-regrouped' };
export const REPARTITION = `${NAME}-regrouped-keyBy-repartition`;

export function changelogOf(store) {
  return `${NAME}-${store}-changelog`;
}

/**
 * The application under test: it counts the input by key, and, behind a repartition topic, by another key; every input makes one output.
 *
 * @param {'exactly-once' | 'at-least-once'} guarantee
 */
export function writeApplication(file, brokers, guarantee) {
  writeFileSync(
    file,
    `name: ${NAME}
kafka:
  brokers: ${brokers}
  client:
    session.timeout.ms: ${SESSION_TIMEOUT_MS}
    heartbeat.interval.ms: 500
    transaction.timeout.ms: ${TRANSACTION_TIMEOUT_MS}
    reconnect.backoff.max.ms: 500
guarantee: ${guarantee}
flows:
  direct:
    from: ${INPUT}
    steps:
      - count:
        emit: update
    to: { topic: ${OUTPUTS.direct}, value: int64 }
  regrouped:
    from: ${INPUT}
    steps:
      - keyBy: value.g
      - count:
        emit: update
    to: { topic: ${OUTPUTS.regrouped}, value: int64 }
`,
  );
  return file;
}
