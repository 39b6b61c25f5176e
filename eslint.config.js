import tseslint from 'typescript-eslint';
import { sizes } from './scripts/size-rules.js';

/** What only these files may import; everything else goes through them. docs/decisions/dependencies.md says why not all is here. */
const guarded = {
  'src/system/process/child.ts': ['execa', 'tree-kill'],
  'src/system/process/session.ts': ['node:child_process'],
  'src/system/process/copy.ts': ['node:child_process'],
  'src/system/process/filter.ts': ['execa'],
  'src/system/lock/flock.ts': ['node:child_process'],
  'src/system/lock/lock.ts': ['proper-lockfile'],
  'src/system/process/process.ts': ['node:child_process'],
  'src/system/host/processors.ts': ['node:child_process'],
  'src/system/time/clock.ts': ['node:timers', 'node:timers/promises'],
  'src/system/files/files.ts': ['write-file-atomic'],
  'src/system/log.ts': ['pino'],
  'src/system/files/watch.ts': ['chokidar'],
  'src/system/plist.ts': ['fast-plist'],
  'src/image/http/web.ts': ['undici'],
  'src/image/http/first-to-answer.ts': ['undici'],
  'src/image/http/proxy-tunnel.ts': ['undici'],
  'src/image/debian/signature.ts': ['openpgp'],
  'src/image/tree/decompress.ts': ['xz-decompress'],
  'src/image/debian/deb.ts': ['tar-stream'],
  'src/image/tree/tar.ts': ['tar-stream'],
  'src/command/progress.ts': ['cli-progress'],
  'src/host/change-diff.ts': ['diff'],
};
const all = [...new Set(Object.values(guarded).flat())];
const message = 'has a file of its own: see the list in eslint.config.js';
/** A property or an element has a line of its own. */
const literalSpreads = ['ObjectExpression', 'ArrayExpression'].map((literal) => ({
  selector: `SpreadElement > ${literal}.argument`,
  message: 'Write the properties or elements where they belong.',
}));
const restricted = [
  ...literalSpreads,
  {
    selector: "Property[key.name='throwIfNoEntry']",
    message:
      'Its answer to a path below a file goes by the version of Node: see src/system/stats.ts.',
  },
];
/** By an import, and by a call of import() or require(). */
const forbid = (names) => ({
  'no-restricted-imports': ['error', { paths: names.map((name) => ({ name, message })) }],
  'no-restricted-syntax': [
    'error',
    ...restricted,
    ...names.map((name) => ({
      selector: `ImportExpression[source.value='${name}'], CallExpression[callee.name='require'][arguments.0.value='${name}']`,
      message,
    })),
  ],
});

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'scripts/**', '**/*.js'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/only-throw-error': 'error',
      // A property that is left out is named so: const { pattern, ...fault } = known.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      '@typescript-eslint/no-misused-spread': 'off',
      'no-restricted-syntax': ['error', ...restricted],
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { sizes },
    rules: {
      'sizes/function': 'error',
      'sizes/file': 'error',
      ...forbid(all),
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval'],
      'no-console': 'error',
    },
  },
  ...Object.entries(guarded).map(([file, names]) => ({
    files: [file],
    rules: {
      ...forbid(all.filter((name) => !names.includes(name))),
      ...(file.endsWith('clock.ts') ? { 'no-restricted-globals': 'off' } : {}),
    },
  })),
);
