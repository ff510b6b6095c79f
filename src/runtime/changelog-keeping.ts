import type { Logger } from '../core/logger.js';
import type { WantedChangelog } from './changelog-topics.js';
import type { TopicConfigs } from './cleanup-policies.js';

/** What a topic that was made for another definition of its store may say too little of (S3, S15). */
function needed({ type, historyMs, retentionMs }: WantedChangelog['store']): readonly [option: string, ms: number] | undefined {
  if (type === 'versioned' && historyMs !== undefined) return ['min.compaction.lag.ms', historyMs];
  if ((type === 'window' || type === 'session') && retentionMs !== undefined) return ['retention.ms', retentionMs];
  return undefined;
}

/** Warns of changelogs that the broker may shorten before their stores are done with the records. */
export function warnOfShortChangelogs(wanted: readonly WantedChangelog[], configs: TopicConfigs, logger: Logger): void {
  for (const { store } of wanted) {
    const { topic, config } = store.changelog;
    const [option, least] = needed(store) ?? [];
    const said = option === undefined ? undefined : configs.get(topic)?.[option];
    if (option === undefined || least === undefined || said === undefined || Number(said) < 0 || Number(said) >= least) continue;
    logger.warn(
      {
        topic,
        store: store.name,
        [option]: said,
        fix: `kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name ${topic} --add-config ${option}=${config[option] ?? least}`,
      },
      `the changelog was made with ${option}=${said}: a restore may miss records that the store is to keep for ${least} ms`,
    );
  }
}
