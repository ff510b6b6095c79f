import { describe, expect, test } from 'vitest';
import { check, sound, withSteps } from './loading.js';

const CHOICES = 'it is batch, update, final or a duration: one integer and one unit, as 10s';

describe('emit', () => {
  test.each([
    ['batch', 'batch'],
    ['update', 'update'],
    ['10s', { everyMs: 10_000, maxBytes: 64_000_000 }],
    ['500ms', { everyMs: 500, maxBytes: 64_000_000 }],
    ['{ every: 2h }', { everyMs: 7_200_000, maxBytes: 64_000_000 }],
    ['{ every: 5m, maxBytes: 1MB }', { everyMs: 300_000, maxBytes: 1_000_000 }],
    ['${PACE:1d}', { everyMs: 86_400_000, maxBytes: 64_000_000 }],
  ])('%s', async (written, emit) => {
    const { flows } = await sound(withSteps('- count:', `  emit: ${written}`));
    expect(flows[0]?.steps[0]?.emit).toEqual(emit);
  });

  test('is batch where nothing is said', async () => {
    const { flows } = await sound(withSteps('- count'));
    expect(flows[0]?.steps[0]?.emit).toBe('batch');
  });

  test.each([
    ['0s', '5:11: error schema/range: emit must be at least 1ms; every result is "emit: update"\n  fix: update'],
    ['10sec', `5:11: error schema/enum: emit cannot be "10sec"; ${CHOICES}`],
    ['10 s', `5:11: error schema/enum: emit cannot be "10 s"; ${CHOICES}`],
    ['1.5s', `5:11: error schema/enum: emit cannot be "1.5s"; ${CHOICES}`],
    ['-10s', `5:11: error schema/enum: emit cannot be "-10s"; ${CHOICES}`],
    ['10', `5:11: error schema/enum: emit cannot be "10"; ${CHOICES}`],
    ['true', `5:11: error schema/enum: emit cannot be "true"; ${CHOICES}`],
    ['sometimes', `5:11: error schema/enum: emit cannot be "sometimes"; ${CHOICES}`],
    ['bacth', '5:11: error schema/enum: emit cannot be "bacth"; did you mean "batch"?'],
    ['[10s]', `5:11: error schema/enum: emit cannot be a list; ${CHOICES}`],
    ['{ every: 0ms }', '5:20: error schema/range: every must be at least 1ms; every result is "emit: update"\n  fix: update'],
    ['{ every: 10sec }', '5:20: error schema/duration: every is "10sec", which is not a duration: one integer and one unit, as 500ms, 30s, 5m, 2h or 7d'],
    ['{ maxBytes: 1MB }', '5:11: error schema/required: "every" is missing: at most one output of a key in so much stream time'],
    ['{ every: 10s, maxBytes: 0B }', '5:35: error schema/range: maxBytes must be at least 1B'],
    ['{ evry: 10s }', '5:13: error schema/unknown-key: unknown key "evry"; did you mean "every"?'],
  ])('%s is an error where it stands', async (written, said) => {
    expect(await check(withSteps('- count:', `  emit: ${written}`))).toContain(said);
  });

  test('means nothing on a step that keeps no results', async () => {
    expect(await check(withSteps('- filter: value.a', '  emit: 10s'))).toEqual(['5:5: error step/setting: "emit" means nothing on "filter"']);
  });
});
