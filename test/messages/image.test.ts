import { locks, making, packages } from './image-make.ts';
import { choice, downloads, mirrors, proxies, signatures } from './image-mirror.ts';
import { tells } from './tell.ts';

tells('image', {
  'The mirror': mirrors,
  'Why this mirror': choice,
  'The proxy': proxies,
  'A download': downloads,
  'What Debian has signed': signatures,
  'The lock': locks,
  'The packages': packages,
  'The making of the image': making,
});
