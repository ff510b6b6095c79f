import type { Diagnostics } from './diagnostics.js';
import { clientProperty } from './kafka-settings.js';
import type { CommitSettings, KafkaSettings } from './model.js';
import { positionOf, type TreeNode } from './tree.js';

interface ExactlyOnce {
  readonly kafkaNode: TreeNode | undefined;
  readonly kafka: KafkaSettings | undefined;
  readonly commitNode: TreeNode | undefined;
  readonly commit: CommitSettings;
}

/** What `guarantee: exactly-once` does not go with (C3). */
export function checkGuarantee({ kafkaNode, kafka, commitNode, commit }: ExactlyOnce, diagnostics: Diagnostics): void {
  if (kafka === undefined) return;
  const protocol = clientProperty(kafkaNode, 'group.protocol');
  if (protocol !== undefined && String(kafka.client['group.protocol']).toLowerCase() === 'consumer') {
    diagnostics.error(
      positionOf(protocol),
      'guarantee/group-protocol',
      'exactly-once is not yet proven with the consumer protocol, so it needs the classic one',
      'group.protocol: classic',
    );
  }
  const interval = commitNode?.kind === 'map' ? commitNode.entries.get('interval')?.value : undefined;
  const timeout = kafka.transactionTimeoutMs;
  if (interval !== undefined && commit.intervalMs > timeout / 2) {
    diagnostics.error(
      positionOf(interval),
      'guarantee/commit-interval',
      `with exactly-once a transaction is open from one commit to the next, and must end within half of "transaction.timeout.ms", which is ${timeout}`,
      `interval: ${Math.floor(timeout / 2)}ms, or less`,
    );
  }
}
