/** Several files of unit tests may share a process: what one changes of it is as it was when the next begins. */
import { afterAll } from 'vitest';

const umask = process.umask(0o022);
process.umask(umask);
const cwd = process.cwd();
const environment = { ...process.env };

afterAll(() => {
  process.umask(umask);
  process.chdir(cwd);
  for (const name of Object.keys(process.env))
    if (!(name in environment)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, environment);
});
