import type { GroupMember, PartitionReader, Sink, TopicAdmin } from '../core/transport.js';
import { makePlan, type Plan } from './plan.js';
import { answersQueries } from './standby/open-standbys.js';
import type { TaskSet } from './task-set.js';
import type { WorkerOptions } from './worker-options.js';

/** The clients of one membership, and how the topology lies on the cluster. */
export interface Clients {
  readonly plan: Plan;
  readonly member: GroupMember;
  readonly reader: PartitionReader;
  readonly sink: Sink;
  readonly admin: TopicAdmin;
  /** Reads changelogs, and what instances tell of themselves; undefined where there is neither. */
  readonly changelogs: PartitionReader | undefined;
}

/** Connects in the order in which each needs the one before. Nothing stays open when one of them fails. */
export async function connect({ transport, topology, deadLetter, logger, transactions, instanceId, instance }: WorkerOptions): Promise<Clients> {
  const opened: { close(): Promise<void> }[] = [];
  const kept = <T extends { close(): Promise<void> }>(client: T): T => {
    opened.push(client);
    return client;
  };
  try {
    const admin = kept(await transport.admin());
    const plan = await makePlan(topology, admin, deadLetter, logger);
    const transactional = transactions && { transactionalId: transactions.id, transactionTimeoutMs: transactions.timeoutMs };
    const sink = kept(await transport.sink(transactional));
    const hasChangelogs = plan.leads.some(({ subtopology }) => plan.changelogsOf(subtopology).length > 0);
    const changelogs = hasChangelogs || answersQueries({ topology, instance }) ? kept(await transport.reader({ isolation: 'read_committed' })) : undefined;
    const { member, reader } = await transport.member({ groupId: topology.applicationId, instanceId });
    return { plan, member, reader, sink, admin, changelogs };
  } catch (error) {
    await Promise.allSettled(opened.map((client) => client.close()));
    throw error;
  }
}

/** Closes everything, tasks that are left included; the member has left before. */
export async function disconnect({ reader, sink, admin, changelogs }: Clients, tasks: TaskSet, failed: (reason: unknown) => void): Promise<void> {
  const closing = tasks.owned.map(async ({ task }) => {
    tasks.remove(task);
    await task.close();
  });
  const closed = await Promise.allSettled([...closing, reader.close(), sink.close(), admin.close(), changelogs?.close()]);
  for (const result of closed) if (result.status === 'rejected') failed(result.reason);
}
