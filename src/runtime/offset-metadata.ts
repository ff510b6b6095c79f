/** What is kept beside each committed offset (S14, T5). */
export interface OffsetMetadata {
  /** Largest timestamp taken from the partition, −1 for none. */
  readonly partitionTime: number;
  /** Hash of the sub-topology's inputs and stores. */
  readonly definition: string;
  /** The topic whose partitions the group shares out. */
  readonly lead: string;
}

const FORMAT = 'kstreamd/1';

/** `kstreamd/1;t=<partition time>;d=<definition hash>;l=<lead topic>` */
export function encodeMetadata({ partitionTime, definition, lead }: OffsetMetadata): string {
  return `${FORMAT};t=${partitionTime};d=${definition};l=${lead}`;
}

/** undefined for metadata of anybody else. */
export function decodeMetadata(text: string): OffsetMetadata | undefined {
  const [format, ...fields] = text.split(';');
  if (format !== FORMAT) return undefined;
  const values = new Map(fields.map((field) => [field.slice(0, 1), field.slice(2)] as const));
  const partitionTime = Number(values.get('t'));
  if (!Number.isSafeInteger(partitionTime)) return undefined;
  return { partitionTime, definition: values.get('d') ?? '', lead: values.get('l') ?? '' };
}
