import { andThen, isPromise, type MaybePromise } from '../../core/maybe.js';
import { type JsonPart, jsonPart } from './json-part.js';
import { NotThere, type Peers } from './peers.js';
import { type QueryError, unavailable } from './query-error.js';
import type { QueryPace } from './query-pace.js';
import type { StoreRequest } from './store-request.js';

/** How a request came, for handing it on. */
export interface Passage {
  /** As in the request line. */
  readonly path: string;
  readonly search: string;
  readonly authorization: string | undefined;
  readonly pace: QueryPace;
}

/**
 * What the partitions have of what is asked: from here, and from whoever has the others. All of them or none: rejects with a QueryError
 * when one cannot be had.
 */
export function gather(request: StoreRequest, partitions: readonly number[], passage: Passage, peers: Peers): MaybePromise<readonly JsonPart[]> {
  return andThen(gatherHere(request, partitions, passage.pace), (here) => withOthers(here, request, partitions, passage, peers));
}

function withOthers(
  here: readonly JsonPart[],
  request: StoreRequest,
  partitions: readonly number[],
  passage: Passage,
  peers: Peers,
): MaybePromise<readonly JsonPart[]> {
  const missing = without(partitions, here);
  return missing.length === 0 ? here : gatherElsewhere(request, missing, passage, peers).then((others) => [...here, ...others]);
}

/** Those of the partitions that can be read here. */
export function gatherHere(request: StoreRequest, partitions: readonly number[], pace: QueryPace): MaybePromise<readonly JsonPart[]> {
  const { application, definition, query, stale } = request;
  return andThen(application.queries.read(definition.name, partitions, query, { stale, pace }), (parts) => {
    const told = parts.map((part) => jsonPart(part, request));
    return told.some(isPromise) ? Promise.all(told) : (told as JsonPart[]);
  });
}

async function gatherElsewhere(request: StoreRequest, partitions: readonly number[], passage: Passage, peers: Peers): Promise<readonly JsonPart[]> {
  const { application, definition, stale } = request;
  const found: JsonPart[] = [];
  const reasons: string[] = [];
  const candidates = new Map(partitions.map((partition) => [partition, application.queries.others(definition.name, partition, stale)]));
  for (let round = 0, missing = [...partitions]; missing.length > 0; round++) {
    const asked = new Map<string, { readonly address: string; readonly partitions: number[] }>();
    for (const partition of missing) {
      const candidate = candidates.get(partition)?.[round];
      if (candidate === undefined) throw nobodyHas(request, partition, reasons);
      const { id, address } = candidate;
      if (address === undefined) reasons.push(`instance ${id} answers no queries`);
      else asked.set(id, { address, partitions: [...(asked.get(id)?.partitions ?? []), partition] });
    }
    const answers = await Promise.all(
      [...asked].map(async ([instance, { address, partitions: wanted }]) => {
        const path = pathOf(passage, application.queries.application, wanted);
        try {
          return await peers.ask({ instance, address, path, authorization: passage.authorization });
        } catch (error) {
          if (!(error instanceof NotThere)) throw error;
          reasons.push(error.message);
          return [];
        }
      }),
    );
    found.push(...answers.flat());
    missing = without(missing, found);
  }
  return found;
}

function nobodyHas({ application, definition, stale }: StoreRequest, partition: number, reasons: readonly string[]): QueryError {
  const why = reasons.length > 0 ? reasons.join('; ') : 'no instance is known to have it now';
  const copies = stale ? '' : '; a copy may answer with ?stale=true';
  return unavailable(`partition ${partition} of store "${definition.name}" of ${application.queries.application} cannot be read: ${why}${copies}`);
}

/** The same request for some partitions. */
function pathOf({ path, search }: Passage, application: string, partitions: readonly number[]): string {
  const kept = search.split('&').filter((part) => part !== '' && !/^(?:application|partition)=/.test(part));
  return `${path}?${[...kept, `application=${encodeURIComponent(application)}`, `partition=${partitions.join(',')}`].join('&')}`;
}

function without(partitions: readonly number[], parts: readonly JsonPart[]): number[] {
  const there = new Set(parts.map(({ partition }) => partition));
  return partitions.filter((partition) => !there.has(partition));
}
