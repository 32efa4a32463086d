import test from 'ava';
import { CheckerJudge } from './checker';
import { MACHINES } from './machine';
import { modelOf } from './promela';
import { nameOf, scenariosFor } from './scenario';
import { SpinModel, missingProgram } from './spin';

const missing = missingProgram();
const testWithSpin = missing === null ? test : test.skip;
const suffix = missing === null ? '' : ` (${missing})`;

for (const machine of MACHINES) {
  testWithSpin(`SPIN and the checker agree about ${machine.name}${suffix}`, t => {
    t.timeout(240_000);
    const { programs, scenarios } = scenariosFor(machine);
    const model = new SpinModel(modelOf(machine, programs));
    t.teardown(() => {
      model.close();
    });
    const checker = new CheckerJudge(machine);
    let failing = 0;
    const differences: string[] = [];
    for (const scenario of scenarios) {
      const program = programs[scenario.program];
      if (program === undefined) throw new Error('a scenario without its program');
      const bySpin = model.judge(scenario).canFail;
      const byChecker = checker.canFail(program, scenario.dropped);
      if (bySpin) failing++;
      if (bySpin === byChecker) continue;
      const [finder, other] = bySpin ? ['SPIN', 'the checker'] : ['the checker', 'SPIN'];
      differences.push(`${finder}, not ${other}: ${nameOf(program, scenario.dropped)}`);
    }
    t.deepEqual(differences, []);
    t.true(failing > 8 && failing < scenarios.length - 8, `${failing} of ${scenarios.length}`);
  });
}
