const VALUES = { number: 1.5, bigint: 9007199254740991n, bytes: Buffer.from([0, 255]), object: { a: [1, { b: null }] }, null: null, text: 'é' };

/** Replaces each value by one of the kind that it names. */
export default class Kinds {
  init(context) {
    this.context = context;
  }

  process(record) {
    this.context.forward(record.withValue(VALUES[record.value] ?? null));
  }
}
