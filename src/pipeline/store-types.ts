import type { StoreShape } from '../core/processor.js';
import type { StoreType } from '../core/store.js';
import type { Fields } from './fields.js';
import type { STORE_KEYS } from './keys.js';
import type { StoreSpec } from './model.js';
import type { Reader } from './reader.js';
import { positionOf } from './tree.js';

const TYPES = ['key-value', 'timestamped', 'versioned', 'window', 'session'] as const satisfies readonly StoreType[];

type TimeKey = 'ttl' | 'history' | 'retention' | 'size';

/** What a type is told beside, and for which types it means something. */
const TIMES: Readonly<
  Record<TimeKey, { readonly field: 'ttlMs' | 'historyMs' | 'retentionMs' | 'windowSizeMs'; readonly types: readonly StoreType[]; readonly least: number }>
> = {
  ttl: { field: 'ttlMs', types: ['key-value'], least: 1 },
  history: { field: 'historyMs', types: ['versioned'], least: 0 },
  retention: { field: 'retentionMs', types: ['window', 'session'], least: 1 },
  size: { field: 'windowSizeMs', types: ['window'], least: 1 },
};

/** Of what is required, a value to show. */
const EXAMPLES: Readonly<Partial<Record<TimeKey, string>>> = { history: '7d', retention: '1d', size: '1m' };

type TypeSettings = Partial<Pick<StoreSpec, 'type' | 'ttlMs' | 'historyMs' | 'retentionMs' | 'windowSizeMs'>>;

/** `type` with the times that belong to it (S7–S9); `shape` is what the step wants that keeps the store. */
export function readStoreType(fields: Fields<keyof typeof STORE_KEYS>, shape: StoreShape | undefined, reader: Reader): TypeSettings {
  const node = fields.get('type');
  const said = reader.word(node, 'type', TYPES);
  if (node !== undefined && said === undefined) return {};
  const wanted = shape && (shape.type ?? 'key-value');
  if (node !== undefined && wanted !== undefined && said !== wanted) {
    return reader.diagnostics.error(positionOf(node), 'store/type', `this step keeps a ${wanted} store, not a ${said} one`, `type: ${wanted}`) ?? {};
  }
  const type = said ?? wanted ?? 'key-value';
  const settings: Record<string, unknown> = { type: said };
  for (const key of Object.keys(TIMES) as TimeKey[]) settings[TIMES[key].field] = readTime(key, type, fields, shape, reader);
  const { retentionMs = shape?.retentionMs, windowSizeMs = shape?.windowSizeMs } = settings as TypeSettings;
  if (retentionMs !== undefined && windowSizeMs !== undefined && retentionMs < windowSizeMs) {
    const message = 'retention must be at least size: a window could not be kept until its end';
    reader.diagnostics.error(fields.keyPosition(fields.has('retention') ? 'retention' : 'size'), 'store/retention', message);
  }
  return settings;
}

function readTime(key: TimeKey, type: StoreType, fields: Fields<keyof typeof STORE_KEYS>, shape: StoreShape | undefined, reader: Reader): number | undefined {
  const { types, field, least } = TIMES[key];
  const { diagnostics } = reader;
  const node = fields.get(key);
  if (!types.includes(type)) {
    if (node !== undefined)
      diagnostics.error(fields.keyPosition(key), 'store/setting', `"${key}" means nothing for a ${type} store; it is for ${types.join(' and ')} stores`);
    return undefined;
  }
  if (node === undefined) {
    const example = EXAMPLES[key];
    if (example !== undefined && shape?.[field] === undefined) {
      diagnostics.error(fields.keyPosition(key), 'schema/required', `a ${type} store needs "${key}"`, `${key}: ${example}`);
    }
    return undefined;
  }
  const value = reader.duration(node, key);
  if (value !== undefined && value < least) return diagnostics.error(positionOf(node), 'schema/range', `${key} must be at least ${least}ms`);
  return value;
}
