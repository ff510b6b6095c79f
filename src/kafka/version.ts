import { RdKafka } from '@confluentinc/kafka-javascript';

/** Of the librdkafka that is loaded into this process. */
export const librdkafkaVersion: string = RdKafka.librdkafkaVersion;
