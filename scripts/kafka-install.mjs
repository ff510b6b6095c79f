import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { run, step, succeeds } from './command.mjs';
import { ensureDebianPackages } from './debian.mjs';

const KAFKA = '4.1.0';
const LOG4J = '2.24.3';
const ARTIFACTS = [
  ['org.apache.kafka', 'kafka_2.13', KAFKA],
  ['org.apache.kafka', 'kafka-tools', KAFKA],
  ['org.apache.logging.log4j', 'log4j-core', LOG4J],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', LOG4J],
  ['org.apache.logging.log4j', 'log4j-1.2-api', LOG4J],
];

/** Where Kafka's jars are kept: outside the checkout, so that every checkout shares them. */
export const kafkaHome = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'kstreamd', `kafka-${KAFKA}`);

/** The jars' folder; it appears by a rename, so it is there only when it is complete. */
export const kafkaJars = path.join(kafkaHome, 'jars');

/** Kafka's classes, parsed beforehand for this Java: a node starts in half the time. Made by KafkaCluster on its first start. */
export const classArchive = path.join(kafkaHome, 'classes.jsa');

/**
 * Makes sure that Java and Kafka's jars are there; milliseconds when they are.
 *
 * @throws {import('./command.mjs').SetupError} naming what is missing and how to get it
 */
export async function installKafka() {
  if (!(await succeeds('java', ['-version']))) await ensureDebianPackages(['openjdk-17-jre-headless'], 'run Apache Kafka');
  if (existsSync(kafkaJars)) return;
  if (!(await succeeds('mvn', ['-version']))) await ensureDebianPackages(['maven'], 'download Apache Kafka');
  await step(`downloading Apache Kafka ${KAFKA} from Maven Central`, downloadJars);
}

async function downloadJars() {
  mkdirSync(kafkaHome, { recursive: true });
  const work = mkdtempSync(path.join(kafkaHome, 'download-'));
  try {
    writeFileSync(path.join(work, 'pom.xml'), pom());
    await run('mvn', ['--quiet', '--batch-mode', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=jars'], { cwd: work });
    // Another process may have been faster; its jars are as good as ours.
    if (!existsSync(kafkaJars)) renameSync(path.join(work, 'jars'), kafkaJars);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function pom() {
  const dependencies = ARTIFACTS.map(
    ([group, artifact, version]) => `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>kstreamd</groupId><artifactId>test-brokers</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>
`;
}
