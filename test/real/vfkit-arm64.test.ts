/** The arm64 guest as vfkit boots it, without a daemon: on a machine of another kind a builder's vfkit has the host's own guest. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { ensureIdentity } from '../../src/guest/identity/identity.ts';
import { writeInitrd } from '../../src/guest/identity/seed.ts';
import { fetchGvproxy } from '../rig/gvproxy.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { makeProgram } from '../rig/stand-in.ts';
import { Command, fact } from './command.ts';
import { testImage } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

const image = process.arch === 'arm64' ? testImage() : join(dirname(testImage()), 'builder-arm64');

test('an arm64 guest on hvc0: sshd by gvproxy, the agent by vsock, deaf to the button, off by the agent', async ({
  onTestFinished,
}) => {
  const dir = mkdtempSync(join(tmpdir(), 'va-'));
  reapAfterUs(dir);
  const at = (name: string) => join(dir, name);
  const env = { PATH: process.env['PATH'] ?? '' };
  const programs: Command[] = [];
  onTestFinished(async () => {
    for (const program of programs.reverse()) await program.kill();
    removeTree(dir);
  });
  const vfkit = await makeProgram(dir, 'vfkit');
  const gvproxy = await makeProgram(dir, 'gvproxy', await fetchGvproxy());
  writeFileSync(`${vfkit}.switches`, JSON.stringify({ arch: 'arm64' }));
  writeFileSync(at('disk'), '');
  truncateSync(at('disk'), 512 * 1024 ** 2);
  await writeSeed(at);
  const api = ['-listen', `unix://${at('api')}`, '-ssh-port', '-1'];
  programs.push(
    new Command([gvproxy, '-listen-vfkit', `unixgram://${at('net')}`, ...api], { env }),
  );
  await fact('gvproxy listens', () => existsSync(at('net')) && existsSync(at('api')));
  const vm = new Command([vfkit, ...words(at)], { env });
  programs.push(vm);
  const console_ = () => (existsSync(at('log')) ? readFileSync(at('log'), 'utf8') : '');
  for (const stage of ['init', 'disk', 'sshd', 'agent'])
    await fact(stage, () => console_().includes(`linuxkit-builder: stage=${stage} `), 120_000);
  // Nothing of firmware, and nothing before virtio-console.
  expect(console_()).not.toContain('EFI');

  expect(await answer(at('api'), tunnel, 'SSH-2.0-')).toContain('SSH-2.0-');
  // The one connection that is kept: vfkit does not pass on that the host hung up.
  const agent = connect(at('agent'));
  let said = '';
  agent.on('error', () => undefined).on('data', (chunk: Buffer) => (said += chunk.toString()));
  agent.write('{"execute":"guest-ping"}\n');
  await fact('the agent answers', () => said.includes('"return"'));

  expect(await post(at('rest'), 'Stop')).toBe(202);
  agent.write('{"execute":"guest-info"}\n');
  await fact('it lives on', () => said.includes('"version"'));
  expect(console_()).not.toContain('stage=stop');
  agent.write('{"execute":"guest-shutdown"}\n');
  expect(await vm.ended).toBe(0);
  expect(console_()).toContain('linuxkit-builder: stage=stopped');
  agent.destroy();
}, 300_000);

const mac = '5a:94:ef:e4:0c:ee';
const tunnel =
  'POST /tunnel?ip=192.168.127.2&port=22 HTTP/1.1\r\nHost: gvproxy\r\nContent-Length: 0\r\n\r\n';

type Paths = (name: string) => string;

async function writeSeed(at: Paths): Promise<void> {
  const layout = layoutOf(at('s'));
  mkdirSync(layout.root);
  const { host } = await ensureIdentity(layout);
  writeInitrd({
    base: `${image}-initrd.img`,
    target: at('initrd'),
    seed: {
      hostName: 'arm',
      timeS: Date.now() / 1000,
      mac,
      address: '192.168.127.2/24',
      gateway: '192.168.127.1',
      nameservers: ['192.168.127.1'],
      vm: 'vfkit',
      agent: 'vsock',
      ssh: 'network',
      builderKeys: [],
      rootKeys: [],
      hostKey: host,
      nixConf: '',
      fence: [],
    },
  });
}

function words(at: Paths): string[] {
  const cmdline = `${readFileSync(`${image}-cmdline`, 'utf8').trim()} console=hvc0`;
  const devices = [
    `virtio-blk,path=${at('disk')}`,
    `virtio-net,unixSocketPath=${at('net')},mac=${mac}`,
    `virtio-serial,logFilePath=${at('log')}`,
    'virtio-rng',
    `virtio-vsock,port=1024,socketURL=${at('agent')},connect`,
  ];
  return [
    '-m',
    '1024',
    '--restful-uri',
    `unix://${at('rest')}`,
    '-b',
    `linux,kernel=${image}-kernel,initrd=${at('initrd')},"cmdline=${cmdline}"`,
    ...devices.flatMap((device) => ['-d', device]),
  ];
}

/** What comes from a socket to which something was said, as soon as it has that in it. */
async function answer(path: string, words: string, part: string): Promise<string> {
  const socket = connect(path);
  let said = '';
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => (said += chunk.toString()));
  socket.write(words);
  await fact(`${path} says ${part}`, () => said.includes(part));
  socket.destroy();
  return said;
}

const post = (socketPath: string, state: string): Promise<number> =>
  new Promise((resolve, reject) => {
    request({ socketPath, method: 'POST', path: '/vm/state' }, (reply) =>
      resolve(reply.resume().statusCode ?? 0),
    )
      .on('error', reject)
      .end(JSON.stringify({ state }));
  });
