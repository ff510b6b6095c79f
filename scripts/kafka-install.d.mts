/** The folder of Kafka's jars. */
export const kafkaJars: string;

/** Kafka's classes, parsed beforehand; there once a cluster of tests was started. */
export const classArchive: string;
