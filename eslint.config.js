import tseslint from 'typescript-eslint';

/** Each dependency is imported by one file of ours; everything else goes through that file. */
const guarded = {
  'src/system/child.ts': ['execa', 'tree-kill', 'node:child_process'],
  'src/system/stage.ts': ['execa'],
  'src/system/lock.ts': ['proper-lockfile', 'node:child_process'],
  'src/system/process.ts': ['node:child_process'],
  'src/system/clock.ts': ['node:timers', 'node:timers/promises'],
  'src/system/files.ts': ['write-file-atomic'],
  'src/system/log.ts': ['pino'],
  'src/system/watch.ts': ['chokidar'],
};
const all = [...new Set(Object.values(guarded).flat())];
const forbid = (names) => [
  'error',
  { paths: names.map((name) => ({ name, message: 'has one file of its own in src/system' })) },
];

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
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-imports': forbid(all),
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval'],
      'no-console': 'error',
    },
  },
  ...Object.entries(guarded).map(([file, names]) => ({
    files: [file],
    rules: {
      'no-restricted-imports': forbid(all.filter((name) => !names.includes(name))),
      ...(file.endsWith('clock.ts') ? { 'no-restricted-globals': 'off' } : {}),
    },
  })),
  { files: ['src/cli/**/*.ts', 'src/main.ts'], rules: { 'no-console': 'off' } },
);
