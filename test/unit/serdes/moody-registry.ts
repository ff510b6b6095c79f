import avsc from 'avsc';
import { RetriableError } from '../../../src/core/errors.js';
import type { RegisteredSchema } from '../../../src/core/schema-registry.js';
import { MemoryRegistry } from '../../../src/testing/memory-registry.js';

/** Is away when it is told to be, and counts what it is asked. */
export class MoodyRegistry extends MemoryRegistry {
  asked = 0;
  away = false;

  override async byId(id: number): Promise<RegisteredSchema | undefined> {
    this.asked++;
    if (this.away) throw new RetriableError('registry/unreachable', 'away');
    return super.byId(id);
  }
}

/** Avro as a client that knows nothing of ours writes it, with the number of its schema in front. */
export function framed(id: number, schema: string, value: unknown): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, avsc.Type.forSchema(JSON.parse(schema)).toBuffer(value)]);
}

export const text = (schema: string) => ({ text: schema, references: new Map<string, string>() });

/** What avsc gives, without its classes. */
export const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
