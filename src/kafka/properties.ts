/** Which of librdkafka's clients know a property: both, the consumer or the producer. */
export type PropertyScope = 'both' | 'consumer' | 'producer';

const BOTH = `
client.id message.max.bytes message.copy.max.bytes receive.message.max.bytes max.in.flight.requests.per.connection max.in.flight
metadata.recovery.strategy metadata.recovery.rebootstrap.trigger.ms topic.metadata.refresh.interval.ms metadata.max.age.ms
topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.fast.cnt topic.metadata.refresh.sparse topic.metadata.propagation.max.ms
topic.blacklist debug socket.timeout.ms socket.blocking.max.ms socket.send.buffer.bytes socket.receive.buffer.bytes socket.keepalive.enable
socket.nagle.disable socket.max.fails broker.address.ttl broker.address.family socket.connection.setup.timeout.ms connections.max.idle.ms
reconnect.backoff.jitter.ms reconnect.backoff.ms reconnect.backoff.max.ms statistics.interval.ms log_level log.queue log.thread.name
enable.random.seed log.connection.close api.version.request api.version.request.timeout.ms api.version.fallback.ms broker.version.fallback
allow.auto.create.topics security.protocol ssl.cipher.suites ssl.curves.list ssl.sigalgs.list ssl.key.location ssl.key.password ssl.key.pem
ssl.certificate.location ssl.certificate.pem ssl.ca.location https.ca.location https.ca.pem ssl.ca.pem ssl.ca.certificate.stores
ssl.crl.location ssl.keystore.location ssl.keystore.password ssl.providers ssl.engine.location ssl.engine.id enable.ssl.certificate.verification
ssl.endpoint.identification.algorithm sasl.mechanisms sasl.mechanism sasl.kerberos.service.name sasl.kerberos.principal
sasl.kerberos.kinit.cmd sasl.kerberos.keytab sasl.kerberos.min.time.before.relogin sasl.username sasl.password sasl.oauthbearer.config
enable.sasl.oauthbearer.unsecure.jwt sasl.oauthbearer.method sasl.oauthbearer.client.id sasl.oauthbearer.client.credentials.client.id
sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.client.secret sasl.oauthbearer.scope sasl.oauthbearer.extensions
sasl.oauthbearer.token.endpoint.url sasl.oauthbearer.sub.claim.name sasl.oauthbearer.grant.type sasl.oauthbearer.assertion.algorithm
sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.private.key.pem
sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds
sasl.oauthbearer.assertion.claim.iss sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.jwt.template.file sasl.oauthbearer.metadata.authentication.type
client.rack retry.backoff.ms retry.backoff.max.ms client.dns.lookup enable.metrics.push`;

const CONSUMER = `
session.timeout.ms heartbeat.interval.ms group.protocol group.remote.assignor coordinator.query.interval.ms max.poll.interval.ms queued.min.messages queued.max.messages.kbytes
fetch.wait.max.ms fetch.queue.backoff.ms fetch.message.max.bytes max.partition.fetch.bytes fetch.max.bytes fetch.min.bytes
fetch.error.backoff.ms check.crcs`;

const PRODUCER = `
transaction.timeout.ms queue.buffering.max.messages queue.buffering.max.kbytes queue.buffering.max.ms linger.ms message.send.max.retries
retries queue.buffering.backpressure.threshold compression.codec compression.type batch.num.messages batch.size
sticky.partitioning.linger.ms request.timeout.ms message.timeout.ms delivery.timeout.ms compression.level`;

/** Properties that carry the daemon's guarantees, or that have a key of their own in the file: the value says where to look. */
export const OWNED: ReadonlyMap<string, string> = new Map([
  ['bootstrap.servers', 'set kafka.brokers'],
  ['metadata.broker.list', 'set kafka.brokers'],
  ['group.id', "it is the pipeline's name"],
  ['group.instance.id', 'set --instance-id'],
  ...owned('the daemon chooses it', 'partition.assignment.strategy group.protocol.type enable.partition.eof partitioner'),
  ...owned('the daemon commits offsets itself', 'enable.auto.commit auto.commit.enable auto.commit.interval.ms enable.auto.offset.store offset.store.method'),
  ['auto.offset.reset', 'set `start` of the input'],
  ...owned(
    'delivery depends on it',
    'isolation.level acks request.required.acks enable.idempotence enable.gapless.guarantee transactional.id queuing.strategy',
  ),
  ...owned('delivery depends on it', 'delivery.report.only.error dr_cb dr_msg_cb rebalance_cb offset_commit_cb'),
  ['plugin.library.paths', 'the daemon loads its own'],
]);

export const SCOPES: ReadonlyMap<string, PropertyScope> = new Map([...scoped('both', BOTH), ...scoped('consumer', CONSUMER), ...scoped('producer', PRODUCER)]);

function owned(reason: string, names: string): [string, string][] {
  return names.split(' ').map((name) => [name, reason]);
}

function scoped(scope: PropertyScope, names: string): [string, PropertyScope][] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => [name, scope]);
}
