import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openStateDirectory, type StateDirectory } from '../../../src/stores/state-directory.js';
import { heldByAnother, triedByAnother } from './other-process.js';
import { temporary } from './verify/databases.js';

let stateDir: string;
beforeEach(() => {
  stateDir = temporary();
});

async function take(instanceId?: string): Promise<StateDirectory> {
  const taken = await openStateDirectory({ stateDir, application: 'app', instanceId, lockWaitMs: 0 });
  onTestFinished(() => taken.close());
  return taken;
}

async function idOf(instanceId?: string): Promise<string> {
  const taken = await take(instanceId);
  await taken.close();
  return taken.instanceId;
}

const place = (n: number | string, ...rest: string[]): string => join(stateDir, 'app', '@instances', String(n), ...rest);

describe('the instance id (C3)', () => {
  it('is the same after a restart, and after kill -9', async () => {
    const first = await idOf();
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    expect(await idOf()).toBe(first);
    const dead = await heldByAnother(place(1, 'lock'));
    await dead.kill();
    expect(await idOf()).toBe(first);
  });

  it('is another one for a second process, which has it again after a restart too', async () => {
    const first = await idOf();
    const other = await heldByAnother(place(1, 'lock'));
    const second = await idOf();
    expect(second).not.toBe(first);
    expect(await idOf()).toBe(second);
    await other.kill();
    const both = [(await take()).instanceId, (await take()).instanceId];
    expect(both).toEqual([first, second]);
  });

  it('is locked while it is held, and each application has its own', async () => {
    const { directory, instanceId } = await take();
    expect(directory).toBe(join(stateDir, 'app'));
    expect(await triedByAnother(place(1, 'lock'))).toBe('LEVEL_LOCKED');
    const other = await openStateDirectory({ stateDir, application: 'other' });
    await other.close();
    expect(other.instanceId).not.toBe(instanceId);
  });

  it('is the one that was given; a second process with it is told', async () => {
    expect(await idOf('node-1')).toBe('node-1');
    const held = await take('node-1');
    await expect(take('node-1')).rejects.toMatchObject({ name: 'ConfigError', code: 'state/instance-in-use', message: expect.stringContaining('node-1') });
    expect((await take('node-2')).instanceId).toBe('node-2');
    await held.close();
    await heldByAnother(place('id-node-1', 'lock'));
    await expect(take('node-1')).rejects.toMatchObject({ code: 'state/instance-in-use' });
  });

  it('may have the name of a place: the two do not meet', async () => {
    const { instanceId } = await take();
    expect((await take('1')).instanceId).toBe('1');
    expect(instanceId).not.toBe('1');
  });

  it('is made anew when its file is damaged or was never written to its end', async () => {
    const first = await idOf();
    for (const damage of ['', '{', '{"format":1}', '"text"', 'null']) {
      writeFileSync(place(1, 'instance.json'), damage);
      const made = await idOf();
      expect(made).toMatch(/^[0-9a-f]{16}$/);
      expect(made).not.toBe(first);
      expect(await idOf()).toBe(made);
    }
  });

  it('is not taken from a newer release, whose file stays as it is', async () => {
    await idOf();
    writeFileSync(place(1, 'instance.json'), '{"format":2,"id":"theirs"}');
    await expect(take()).rejects.toMatchObject({ name: 'ConfigError', code: 'state/newer-format' });
    expect(readFileSync(place(1, 'instance.json'), 'utf8')).toContain('theirs');
    expect(existsSync(place(2))).toBe(false);
    expect(await triedByAnother(place(1, 'lock'))).toBe('free');
  });
});
