/** The name servers that this host asks. */
import { OthersFiles } from '../files/others-files.ts';

/** What a resolv.conf names, in its order. Pure. */
export const nameServersIn = (resolvConf: string): readonly string[] =>
  resolvConf.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);

/** This host's now; none where the file names none, or cannot be read. */
export const nameServersHere = (path = '/etc/resolv.conf'): readonly string[] =>
  nameServersIn(new OthersFiles().read(path) ?? '');
