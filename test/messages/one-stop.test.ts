/** What others say ends in a full stop or not: a sentence of ours that ends with it has one. */
import { expect, test } from 'vitest';
import { agentRefused } from '../../src/guest/agent/agent-failures.ts';
import { keygenFailed } from '../../src/guest/identity/identity.ts';
import { unreachable } from '../../src/image/mirror/mirror-failure.ts';
import { proxyUnreachable } from '../../src/image/http/proxy-tunnel.ts';
import { broken } from '../../src/image/tree/decompress.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import { notSaved } from '../../src/vm/qemu/memory-failures.ts';
import { qmpRefused } from '../../src/vm/qemu/qmp.ts';
import { vfkitAway, vfkitRefused } from '../../src/vm/vfkit/rest-api.ts';
import { explainVfkit } from '../../src/vm/vfkit/vfkit-exit.ts';

const proxy = { url: new URL('http://proxy'), from: 'http_proxy' };
const sentences: Readonly<Record<string, (said: string) => Failure | undefined>> = {
  'the guest agent': (said) => agentRefused({ desc: said }),
  QEMU: (said) => qmpRefused({ desc: said }),
  'QEMU, of a suspend': notSaved,
  vfkit: (said) => vfkitRefused(500, said),
  'vfkit, whose connection ends': vfkitAway,
  'vfkit, as it exits': (said) =>
    explainVfkit({
      ended: { kind: 'exited', code: 1 },
      output: [`Error: ${said}`, 'Usage:', '  vfkit [flags]'],
      console: [],
    }),
  'ssh-keygen': (said) => keygenFailed('ssh-keygen', said),
  xz: (said) => broken('a.deb', said).failure,
  'a mirror': (said) => unreachable('http://mirror/', new Error(said), 0).failure,
  'a proxy': (said) => proxyUnreachable(proxy as never, new Error(said)).failure,
  'Node, of a bug': (said) => failureOf(new Error(said)),
};

test.each(Object.entries(sentences))('%s', (_, sentence) => {
  for (const said of ['It is not there', 'It is not there.']) {
    const { message = '' } = sentence(said) ?? {};
    expect(message).toMatch(/It is not there(?:\."?|"\.)$/);
  }
});
