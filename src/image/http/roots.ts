/**
 * The certificates by which an https mirror or proxy is known: Node's own, the system's, and those that the environment names.
 * All count: what a mirror delivers is believed by its signature and its hashes, and never for the connection's sake.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { run } from '../../system/process/child.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Of Debian, Fedora, openSUSE, RHEL, and Alpine and macOS; with NixOS' in front, which links to the first. As Go looks for them. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Certificates in PEM, each once. */
export async function trustedRoots(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
): Promise<readonly string[]> {
  const keychain = platform === 'darwin' ? await keychainRoots() : [];
  return [...new Set([...tls.rootCertificates, ...systemRoots(env), ...keychain])];
}

/** OpenSSL's variables stand for the system's bundle; Nix's and Node's are besides. */
function systemRoots(env: Environment): string[] {
  const { SSL_CERT_FILE, SSL_CERT_DIR, NIX_SSL_CERT_FILE, NODE_EXTRA_CA_CERTS } = env;
  const usual = bundles.filter((path) => existsSync(path)).slice(0, 1);
  const named = [SSL_CERT_FILE, NIX_SSL_CERT_FILE, NODE_EXTRA_CA_CERTS].flatMap((path) =>
    path === undefined || path === '' ? [] : [path],
  );
  const folders = (SSL_CERT_DIR ?? '').split(':').filter((folder) => folder !== '');
  return [...named, ...usual, ...folders.flatMap(filesIn)].flatMap((path) =>
    certificatesIn(readOrNothing(path)),
  );
}

/** Of the System and login keychains, and of Apple's own. Newer Nodes know which of them are trusted; older are given all. */
async function keychainRoots(): Promise<string[]> {
  if (typeof getCaCertificates === 'function') return getCaCertificates('system');
  const apple = '/System/Library/Keychains/SystemRootCertificates.keychain';
  const lists = await Promise.all(
    [[], [apple]].map((keychain) =>
      run('/usr/bin/security', ['find-certificate', '-a', '-p', ...keychain], {
        timeoutMs: 20_000,
        maxBytes: 16 * 1024 * 1024,
      }),
    ),
  );
  return lists.flatMap(({ stdout }) => certificatesIn(stdout));
}

/** Since Node 22.15 and 23.10. */
const getCaCertificates = (tls as unknown as { getCACertificates?: (type: 'system') => string[] })
  .getCACertificates;

const certificatesIn = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return []; // A folder that is named and not there is no fault to OpenSSL either.
  }
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Nor is a file.
    return '';
  }
}
