/** The value that YAML 1.2's core schema gives a plain scalar. */
export function typedByYaml(text: string): unknown {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?\d+$/.test(text)) return Number(text);
  if (/^0o[0-7]+$/.test(text) || /^0x[\da-fA-F]+$/.test(text)) return Number(text);
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return Number.NaN;
  return text;
}

/** Why a plain scalar would not come out as the number it looks like; undefined for any other text. */
export function numberTrap(text: string): string | undefined {
  if (/^[-+]?0\d+$/.test(text)) return `YAML reads it as the number ${Number(text)}`;
  if (/^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$/.test(text)) return 'YAML reads it as a number that no format can write';
  if (/^[-+]?\d+$/.test(text) && !Number.isSafeInteger(Number(text))) return 'it has more digits than a number keeps';
  return undefined;
}
