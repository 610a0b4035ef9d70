import type { VictimPolicy } from '@sageserve/core';

/**
 * Gives up what loses the least work: of what is not ready yet the newest, then the ready instance
 * with the fewest outstanding tokens, the first of two that have as many. One whose load is not
 * known goes after those of which it is.
 */
export function createLeastWorkLostVictim(): VictimPolicy {
  return {
    name: 'least-work-lost',
    choose(candidates) {
      let newest = -1;
      let newestMs = Infinity;
      let lightest = -1;
      let fewest = Infinity;
      for (let i = 0; i < candidates.count; i++) {
        if (candidates.state(i) === 'provisioning') {
          const ms = candidates.sinceRequestedMs(i) ?? Infinity;
          // They stand in the order in which they were asked for: of two at one time the later is
          // newer.
          if (ms > newestMs) continue;
          newest = i;
          newestMs = ms;
        } else {
          const tokens = candidates.outstandingTokens(i) ?? Infinity;
          if (lightest !== -1 && tokens >= fewest) continue;
          lightest = i;
          fewest = tokens;
        }
      }
      return newest === -1 ? lightest : newest;
    },
  };
}
