import { describe, expect, test } from 'vitest';
import { type Announcement, decodeAnnouncement, encodeAnnouncement } from '../../../../src/runtime/standby/announcement.js';
import { Instances } from '../../../../src/runtime/standby/instances.js';
import { byFolder, taskNames } from '../../../../src/runtime/standby/task-name.js';

const told = (changes: Partial<Announcement> = {}): Announcement => ({
  tasks: byFolder(['counts/0', 'counts/2', 'other/1']),
  copies: byFolder(['counts/1']),
  place: 'machine/1/2',
  address: 'host:8080',
  time: 1000,
  ...changes,
});

describe('what an instance tells', () => {
  test('is read as it was written', () => {
    expect(decodeAnnouncement(encodeAnnouncement(told()))).toEqual(told());
    const { address: _, ...without } = told();
    expect(decodeAnnouncement(encodeAnnouncement(without))).toEqual(without);
    expect(taskNames(told().tasks)).toEqual(new Set(['counts/0', 'counts/2', 'other/1']));
  });

  test.each([
    '',
    'x',
    'null',
    '[]',
    '{"format":2,"time":1,"place":"p","tasks":{},"copies":{}}',
    '{"format":1,"time":1,"place":"p","tasks":{"a":["0"]},"copies":{}}',
  ])('is nothing in %j', (text) => expect(decodeAnnouncement(Buffer.from(text))).toBeUndefined());
});

describe('the instances', () => {
  test('live while they are heard, then keep their place for a while', () => {
    const instances = new Instances();
    instances.hear('a', told(), 1000);
    expect(instances.at(21_000)).toMatchObject([{ id: 'a', alive: true, address: 'host:8080', place: 'machine/1/2' }]);
    expect(instances.at(21_001)).toMatchObject([{ id: 'a', alive: false }]);
    instances.hear('a', told(), 50_000);
    expect(instances.at(50_000)).toMatchObject([{ id: 'a', alive: true }]);
    expect(instances.at(110_000)).toMatchObject([{ id: 'a', alive: false }]);
    expect(instances.at(110_001)).toEqual([]);
  });

  test('that leave are gone at once, and keep their place as long', () => {
    const instances = new Instances();
    instances.leave('a', 500);
    instances.hear('b', told(), 1000);
    instances.hear('a', told(), 1000);
    instances.leave('a', 2000);
    expect(instances.at(2000)).toMatchObject([
      { id: 'a', alive: false },
      { id: 'b', alive: true },
    ]);
    expect(instances.at(61_001).map(({ id }) => id)).toEqual(['a']);
  });
});
