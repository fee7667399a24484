// Redis is away for 30 s and comes back empty: longer than presence grace, stall time-out and every time-out
// of a command. A file of its own, since it takes so long and needs next to nothing meanwhile.

import { after, test } from 'node:test';
import { closeAll } from './harness/clients.mjs';
import { lasting } from './harness/cluster.mjs';
import { startScene } from './harness/cluster-outage.mjs';

after(closeAll);

test('Redis is killed, and back empty after 30 s', { timeout: 120_000 }, async (t) => {
  const scene = await startScene(t);
  const { redis } = scene.cluster;
  await redis.kill();
  const killed = Date.now();
  await scene.localGoesOn();
  await scene.sender.state(scene.across.transfer, 'suspended');
  await lasting(30_000 - (Date.now() - killed));
  await redis.start();
  await scene.acrossGoesOn(Date.now());
  await scene.allIsWell();
  scene.assertNobodyWasCut();
});
