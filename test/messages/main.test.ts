import { unfinished, unwrittenWords } from '../../src/leave.ts';
import { unfitNode } from '../../src/node-version.ts';
import { tells } from './tell.ts';

tells('main', {
  'At the beginning and the end of every command': {
    'Node is too old': () => unfitNode('18.20.4', '/opt/node18/bin/node'),
    'standard output takes no more': () => unwrittenWords('ENOSPC'),
    'nothing is waited for any more': () => unfinished,
  },
});
