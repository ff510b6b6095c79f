import { describe, expect, it } from 'vitest';
import { BrokerError, DeliveryError, FatalError, RetriableError, TaskMigratedError } from '../../../src/core/errors.js';
import { contactError, isRefusal, kafkaError } from '../../../src/kafka/errors.js';

describe('errors of the client', () => {
  it.each([
    [22, RetriableError, 'broker/rebalancing'],
    [27, RetriableError, 'broker/rebalancing'],
    [25, TaskMigratedError, 'broker/member-removed'],
    [82, TaskMigratedError, 'broker/instance-fenced'],
    [111, TaskMigratedError, 'broker/instance-in-use'],
    [10, DeliveryError, 'broker/record-too-large'],
    [3, DeliveryError, 'broker/unknown-topic'],
    [-192, RetriableError, 'broker/not-delivered'],
    [29, BrokerError, 'broker/topic-authorization'],
    [-169, BrokerError, 'broker/authentication'],
    [-150, FatalError, 'broker/client-failed'],
    [-195, RetriableError, 'broker/unavailable'],
    [9999, RetriableError, 'broker/unavailable'],
  ])('become our class by what to do next: %i', (code, as, name) => {
    const error = kafkaError({ code, message: 'as the client says it' }, 'orders-3');
    expect(error).toBeInstanceOf(as);
    expect(error.code).toBe(name);
    expect(error.message).toMatch(/^orders-3: [^\n]+$/);
  });
});

describe('a client that has failed for good', () => {
  it.each([
    [
      'Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id: Fatal consumer error: Broker: Static consumer fenced by other consumer with same group.instance.id',
      'broker/instance-fenced',
    ],
    [
      'Fatal error: Broker: The instance ID is still used by another member in the consumer group: ConsumerGroupHeartbeat fatal error: Broker: The instance ID is still used by another member in the consumer group',
      'broker/instance-in-use',
    ],
  ])('says why in words alone: %s', (message, code) => {
    const error = kafkaError({ code: -150, message }, 'reading orders');
    expect(error).toBeInstanceOf(TaskMigratedError);
    expect(error).toMatchObject({ code, fix: 'Give each process its own --instance-id.' });
  });
});

describe('a first contact that failed', () => {
  const thread = '[thrd:sasl_plaintext://kafka:9092/bootstrap]: sasl_plaintext://kafka:9092/bootstrap: ';

  it.each([
    [
      '[thrd:kafka:9092/bootstrap]: kafka:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)',
      'broker/unreachable',
    ],
    [
      "[thrd:kafka:9092/bootstrap]: kafka:9092/bootstrap: Failed to resolve 'kafka:9092': Name or service not known (after 0ms in state CONNECT)",
      'broker/unreachable',
    ],
    [`${thread}SASL authentication error: Authentication failed: Invalid username or password (after 4ms in state AUTH_REQ)`, 'broker/authentication'],
    [
      `${thread}SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: PLAIN`,
      'broker/sasl-mechanism',
    ],
    [
      '[thrd:ssl://kafka:9092/bootstrap]: ssl://kafka:9092/bootstrap: SSL handshake failed: certificate verify failed (after 9ms in state SSL_HANDSHAKE)',
      'broker/tls',
    ],
  ])('is told with its cause: %s', (logged, code) => {
    const error = contactError('kafka:9092', [logged]);
    expect(error.code).toBe(code);
    expect(error.message).toContain('kafka:9092');
    expect(error.message).not.toMatch(/thrd:|after \d/);
    expect(error.fix).toBeDefined();
    expect(isRefusal(error)).toBe(code !== 'broker/unreachable');
  });

  it('is told without a cause when the client logged none', () => {
    expect(contactError('a:1,b:2', []).message).toBe('Kafka at a:1,b:2 cannot be reached: no answer');
  });
});
