import { join } from 'node:path';
import { rootPaths } from '../../src/host/system-paths.ts';
import type { RootRequest } from '../../src/setup/root/root-plan.ts';

/** What root is told of a builder in a tree that stands for /. */
export const rootRequestIn = (tree: string): RootRequest => ({
  paths: rootPaths({ rootHome: join(tree, 'root'), etcNix: join(tree, 'etc/nix') }),
  owner: { name: 'jörg', uid: 1000, directory: '/home/Jörg/state' },
  door: 'tcp',
  port: 24083,
  holdSeconds: 180,
  system: 'x86_64-linux',
  maxJobs: 2,
  features: ['linuxkit-builder'],
  extraSystems: [],
  mandatoryFeatures: [],
  speedFactor: 1,
  protocol: 'ssh-ng',
  hostPublicKey: `ssh-ed25519 ${'A'.repeat(68)}`,
  keeper: 'person',
});
