import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** A stage is FROM and what follows it; continued lines are joined, comments dropped. */
function stagesOf(dockerfile: string): Instruction[][] {
  const stages: Instruction[][] = [];
  const lines = dockerfile
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [keyword = '', ...rest] = line.split(' ');
    if (keyword === 'FROM') stages.push([]);
    stages.at(-1)!.push({ keyword, text: rest.join(' ') });
  }
  return stages;
}

const stages = stagesOf(readFileSync(path.join(root, 'Dockerfile'), 'utf8'));
const image = stages.at(-1)!;
const textsOf = (stage: readonly Instruction[], keyword: string): string[] => stage.filter((each) => each.keyword === keyword).map((each) => each.text);

describe('the Docker image', () => {
  it('leaves compilers in a stage of their own', () => {
    expect(stages).toHaveLength(2);
    expect(textsOf(image, 'RUN').join()).not.toMatch(/g\+\+|-dev\b/);
  });

  it('runs as uid 10001', () => {
    expect(textsOf(image, 'USER')).toEqual(['10001:10001']);
  });

  it('writes to one volume, which belongs to that user', () => {
    expect(textsOf(image, 'VOLUME')).toEqual(['/var/lib/kstreamd']);
    expect(textsOf(image, 'RUN').join()).toContain('install -d -o 10001 -g 10001 /var/lib/kstreamd');
  });

  it.each(['KSTREAMD_HTTP=0.0.0.0:8080', 'KSTREAMD_STATE_DIR=/var/lib/kstreamd', 'UV_THREADPOOL_SIZE=8'])('sets %s', (setting) => {
    expect(textsOf(image, 'ENV').join(' ').split(' ')).toContain(setting);
  });

  it('starts the daemon and asks it for its health', () => {
    expect(textsOf(image, 'ENTRYPOINT')).toEqual(['["kstreamd"]']);
    expect(textsOf(image, 'HEALTHCHECK').join()).toMatch(/CMD \["kstreamd", "healthcheck"\]$/);
  });

  it('links the command that package.json names', () => {
    const { bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { bin: { kstreamd: string } };
    expect(textsOf(image, 'RUN').join()).toContain(`ln -s /app/${bin.kstreamd} /usr/local/bin/kstreamd`);
  });

  it('copies only what exists and .dockerignore lets through', () => {
    const allowed = readFileSync(path.join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = stages
      .flatMap((stage) => textsOf(stage, 'COPY'))
      .filter((text) => !text.startsWith('--from'))
      .flatMap((text) => text.split(' ').slice(0, -1));
    expect(copied.length).toBeGreaterThan(5);
    expect(copied.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
    expect(copied.filter((file) => !allowed.includes(file.split('/')[0]!))).toEqual([]);
  });
});
