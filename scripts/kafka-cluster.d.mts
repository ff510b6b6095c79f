export interface ClusterOptions {
  /** `default` unless several clusters run at once: a-z, 0-9, -. */
  readonly name?: string;
  /** Three have replication factor 3 and min.insync.replicas 2; one unless told. */
  readonly nodes?: 1 | 3;
  /** Of the first node, the others follow; 0 (the default) takes free ones. */
  readonly port?: number;
  /** A second listener with SCRAM-SHA-512 and PLAIN. */
  readonly sasl?: boolean;
  /** A listener that demands a client's certificate: PEM files of the broker's key and certificate, and of the authority of both sides. */
  readonly tls?: { readonly keystore: string; readonly truststore: string };
  /** The cluster belongs to this process: `removeAbandoned` deletes it once the process is gone. */
  readonly owned?: boolean;
  /** For some minutes of tests: takes little of the processor until it is warm, and is slower from then on. Not for measurements. */
  readonly shortLived?: boolean;
  /** server.properties over the defaults. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export interface NodeStatus {
  readonly id: number;
  /** HOST:PORT of the plain listener. */
  readonly address: string;
  readonly state: 'running' | 'paused' | 'stopped';
  readonly pid: number | undefined;
  readonly logFile: string;
}

/**
 * An Apache Kafka on loopback, for tests, in a folder of its own under the temporary directory. Methods with `node` act on the node of
 * that id (1 to 3), or on all nodes without it. Only processes that a cluster started are ever signalled.
 */
export class KafkaCluster {
  private constructor();
  /** Starts a new cluster, or the stopped one of that name; installs Kafka first where it is not. Returns when it is ready. */
  static start(options?: ClusterOptions): Promise<KafkaCluster>;
  /** The cluster of that name, running or not. */
  static find(name?: string): KafkaCluster | undefined;
  static list(): KafkaCluster[];
  /** Removes owned clusters whose owner ended without doing so. */
  static removeAbandoned(): Promise<void>;

  readonly name: string;
  /** `bootstrap.servers` of the plain listener. */
  readonly brokers: string;
  /** The SASL listener, when the cluster was made with one. */
  readonly sasl: { readonly brokers: string; readonly user: string; readonly password: string } | undefined;
  /** The TLS listener, when the cluster was made with one. */
  readonly tls: { readonly brokers: string } | undefined;
  status(): NodeStatus[];
  /** Starts what does not run; returns when the running nodes form a cluster. */
  start(node?: number): Promise<void>;
  /** Clean shutdown (SIGTERM); data stays. */
  stop(node?: number): Promise<void>;
  /** SIGKILL; data stays. */
  kill(node?: number): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(node?: number): Promise<void>;
  /** SIGCONT. */
  resume(node?: number): Promise<void>;
  /** `hard` kills instead of stopping. */
  restart(options?: { readonly node?: number; readonly hard?: boolean }): Promise<void>;
  /** Returns when every running node sees all running nodes and a controller. */
  ready(): Promise<void>;
  /** Kills what runs and deletes all data. */
  remove(): Promise<void>;
}

/** Java, Kafka's jars and the archive of its classes; milliseconds when all are there. */
export function prepareKafka(): Promise<void>;
