/** The folder of Kafka's jars. */
export const kafkaJars: string;
