import { Ajv } from 'ajv';
import avsc from 'avsc';
import type { RegistryServer } from '../registry/registry-server.js';

/**
 * Confluent's wire format as a client has it that shares no code with the daemon: a zero, the schema's number in four
 * bytes, the value. Reading asks the registry for the schema by that number, through plain fetch.
 */
export class OutsideClient {
  private readonly checkers = new Map<number, Promise<ReturnType<Ajv['compile']>>>();

  constructor(
    private readonly registry: RegistryServer,
    private readonly authorization?: string,
  ) {}

  /** Avro under a number that the registry gave. */
  static avro(id: number, schema: object, value: unknown): Buffer {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(id, 1);
    return Buffer.concat([head, avsc.Type.forSchema(schema as avsc.Schema).toBuffer(value)]);
  }

  /** JSON that fits the schema whose number stands in front of it; throws where anything of that is not so. */
  async json(bytes: Buffer | null): Promise<unknown> {
    if (bytes === null || bytes[0] !== 0) throw new Error(`no number of a schema in front: ${bytes?.toString('hex')}`);
    const id = bytes.readUInt32BE(1);
    const checker = this.checkers.get(id) ?? this.checker(id);
    this.checkers.set(id, checker);
    const fits = await checker;
    const value: unknown = JSON.parse(bytes.toString('utf8', 5));
    if (!fits(value)) throw new Error(`${bytes.toString('utf8', 5)} does not fit schema ${id}: ${JSON.stringify(fits.errors)}`);
    return value;
  }

  private async checker(id: number): Promise<ReturnType<Ajv['compile']>> {
    const answer = await fetch(`${this.registry.url}/schemas/ids/${id}`, { headers: this.authorization ? { authorization: this.authorization } : {} });
    const { schema, schemaType } = (await answer.json()) as { schema: string; schemaType?: string };
    if (schemaType !== 'JSON') throw new Error(`schema ${id} is ${schemaType ?? 'AVRO'}`);
    return new Ajv().compile(JSON.parse(schema));
  }
}
