// Holds the databases in argv from another process until it is killed; says `held` when it has them all.
import { ClassicLevel } from 'classic-level';

for (const directory of process.argv.slice(2)) await new ClassicLevel(directory).open();
process.stdout.write('held\n');
process.stdin.on('end', () => process.exit(0)).resume();
