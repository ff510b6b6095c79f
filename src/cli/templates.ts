const HEADER = (name: string): string => `# "kstreamd check" says what is wrong with this file, "kstreamd list" explains the steps there are.
name: ${name}                                 # the consumer group, and the prefix of internal topics
kafka: \${KAFKA_BROKERS:localhost:9092}         # host:port, …; or { brokers, sasl, tls, client }
`;

/** A commented pipeline to start from, with tests of its own. */
export interface Template {
  readonly summary: string;
  readonly text: (name: string) => string;
}

export const templates: ReadonlyMap<string, Template> = new Map<string, Template>([
  [
    'word-count',
    {
      summary: 'counts per key, with state',
      text: (name) => `${HEADER(name)}
from: { topic: sentences, value: string }      # formats: string json bytes int32 int64 double; the key is a string
steps:
  - flatMap: value.toLowerCase().match(/\\p{L}+/gu) ?? []   # one record a word
  - keyBy: value                                           # equal words meet in one partition
  - count                                                  # the count so far becomes the value
to: { topic: word-counts, value: int64 }

tests:
  - name: counts words across records
    send:
      sentences: ["Hello world", "hello kafka"]
    expect:
      word-counts:
        - { key: hello, value: 2 }
        - { key: world, value: 1 }
        - { key: kafka, value: 1 }
`,
    },
  ],
  [
    'filter',
    {
      summary: 'keeps and reshapes records, without state',
      text: (name) => `${HEADER(name)}
deadLetter: orders.dead                        # records that cannot be read or handled go here, and the rest goes on

from: orders                                   # values are JSON unless the file says otherwise
steps:
  - filter: value.total > 100                  # keeps the record when true
  - set: { large: true, seenAt: timestamp }    # merges into the value; leaves are expressions
  - unset: card                                # takes fields out
to: large-orders

tests:
  - name: small orders are left out, and cards never leave
    send:
      orders:
        - { key: a, value: { total: 250, card: "4111" }, at: 2024-01-01T10:00:00Z }
        - { key: b, value: { total: 10 } }
    expect:
      large-orders:
        - { key: a, value: { total: 250, large: true, seenAt: 1704103200000 } }
  - name: an unreadable record goes to the dead letter topic
    send:
      orders: [{ key: c, raw: "not json" }, { key: d, value: { total: 101 } }]
    expect:
      orders.dead: { count: 1 }
      large-orders: { count: 1 }
`,
    },
  ],
  [
    'branch',
    {
      summary: 'sends records to one of several topics',
      text: (name) => `${HEADER(name)}
from: payments
steps:
  - branch:                                    # the first arm whose "if" holds takes the record
      - if: value.score > 0.9
        to: payments.blocked
      - if: value.score > 0.6
        steps:
          - set: { reason: "'manual review'" } # a text inside an expression has its own quotes
        to: payments.review
      - to: payments.accepted                  # all others

tests:
  - name: each payment goes one way
    send:
      payments:
        - { key: a, value: { score: 0.95 } }
        - { key: b, value: { score: 0.7 } }
        - { key: c, value: { score: 0.1 } }
    expect:
      payments.blocked: [{ key: a, value: { score: 0.95 } }]
      payments.review: [{ key: b, value: { score: 0.7, reason: manual review } }]
      payments.accepted: [{ key: c, value: { score: 0.1 } }]
`,
    },
  ],
]);
