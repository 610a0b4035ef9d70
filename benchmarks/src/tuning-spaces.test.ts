import { buildSimulation, preset } from 'sageserve';
import { expect, it } from 'vitest';
import { readTuned } from './tune.js';
import { choiceAt, pointOf, TUNING_SPACES } from './tuning-spaces.js';

const scenario = preset('small-fleet');
const roomy = {
  ...scenario,
  regions: scenario.regions.map((one) => ({ ...one, gpus: { 'a100-80gb': 6 } })),
  models: scenario.models.map((model) => ({
    ...model,
    deployments: model.deployments.map((one) => ({ ...one, initialInstances: 4, maxInstances: 6 })),
  })),
};

it.each(Object.keys(TUNING_SPACES))(
  'every knob of %s is taken at both of its ends and where a search begins',
  (name) => {
    const { knobs } = TUNING_SPACES[name]!;
    const start = knobs.map((knob) => knob.start);
    expect(pointOf(name, choiceAt(name, start))).toEqual(start);
    for (const [k, { values }] of knobs.entries())
      for (const end of [0, values.length - 1]) {
        const at = start.map((value, i) => (i === k ? end : value));
        expect(pointOf(name, choiceAt(name, at))).toEqual(at);
        expect(() => buildSimulation(roomy, choiceAt(name, at))).not.toThrow();
      }
  },
);

it('every recorded winner is among what was tried', () => {
  const searches = Object.values(readTuned()).flatMap((one) => Object.values(one));
  expect(searches.length).toBeGreaterThan(0);
  for (const { options, tried } of searches) expect(tried.map((one) => one.options)).toContainEqual(options);
});
