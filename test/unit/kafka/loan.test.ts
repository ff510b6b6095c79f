import { describe, expect, test } from 'vitest';
import { TaskMigratedError } from '../../../src/core/errors.js';
import { Loans } from '../../../src/kafka/loan.js';

const client = {};

describe('a lent client', () => {
  test('gives what its use gives', async () => {
    const loans = new Loans(client, { lost: false, losses: 0 });
    expect(await loans.lend(async (lent) => lent)).toBe(client);
    await expect(loans.lend(() => Promise.reject(new Error('as asked')))).rejects.toThrow('as asked');
  });

  test('is none once the assignment is lost', async () => {
    const loans = new Loans(client, { lost: true, losses: 1 });
    await expect(loans.lend(async () => 'used')).rejects.toBeInstanceOf(TaskMigratedError);
  });

  test('was none when the assignment was lost meanwhile, also when that is over', async () => {
    const assignment = { lost: false, losses: 0 };
    const loans = new Loans(client, assignment);
    const use = async (): Promise<void> => {
      assignment.losses++;
    };
    await expect(loans.lend(use)).rejects.toMatchObject({ code: 'broker/member-removed' });
  });

  test('keeps its owner from closing, who lends it no more', async () => {
    const loans = new Loans(client, { lost: false, losses: 0 });
    let giveBack = (): void => {};
    const lent = loans.lend(() => new Promise<void>((resolve) => (giveBack = resolve)));
    let ended = false;
    const ending = loans.end().then(() => {
      ended = true;
    });
    await expect(loans.lend(async () => {})).rejects.toMatchObject({ code: 'broker/member-removed' });
    expect(ended).toBe(false);
    giveBack();
    await Promise.all([lent, ending]);
    expect(ended).toBe(true);
  });
});
