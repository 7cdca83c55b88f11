// What a training script does with the npm package "mlflow", unchanged, against the server whose address and token are given.
import MLflow from 'mlflow';
import assert from 'node:assert/strict';

const [endpoint, token] = process.argv.slice(2);
console.log = () => {};   // the client prints every body that it sends
const client = new MLflow({ endpoint, headers: { Authorization: `Bearer ${token}` } });

const { experiment_id } = await client.Experiments.create({ name: 'from npm' });
assert.match(experiment_id, /^[0-9a-f]{32}$/);
const { experiment } = await client.Experiments.get({ experiment_id });
assert.deepEqual([experiment.name, experiment.lifecycle_stage], ['from npm', 'active']);
assert.ok((await client.Experiments.list({ view_type: 'ACTIVE_ONLY' })).experiments.some(e => e.experiment_id === experiment_id));

const { run } = await client.Runs.create({ experiment_id, user_id: 'node', start_time: 1700000000000, tags: [{ key: 'team', value: 'core' }] });
const { run_id } = run.info;
for (let step = 0; step < 20; step++)
  await client.Runs.logMetric({ run_id, key: 'loss', value: 1 / (step + 1), timestamp: 1700000000000 + step, step });
await client.Runs.logParameter({ run_id, key: 'lr', value: '0.1' });
await client.Runs.logBatch({
  run_id,
  metrics: Array.from({ length: 100 }, (_, i) => ({ key: `m${i}`, value: i, timestamp: 1700000000000, step: 0 })),
  params: [{ key: 'depth', value: '3' }], tags: [{ key: 'kept', value: 'yes' }, { key: 'gone', value: 'no' }],
});
await client.Runs.setTag({ run_id, key: 'note', value: 'häßlich 😀' });
await client.Runs.deleteTag({ run_id, key: 'gone' });
const { run_info } = await client.Runs.update({ run_id, status: 'FINISHED', end_time: 1700000009000 });
assert.equal(run_info.status, 'FINISHED');

const read = (await client.Runs.get({ run_id })).run;
assert.equal(read.data.metrics.length, 101);
assert.deepEqual(read.data.metrics.find(m => m.key === 'loss'), { key: 'loss', value: 0.05, timestamp: 1700000000019, step: 19 });
assert.deepEqual(read.data.params, [{ key: 'depth', value: '3' }, { key: 'lr', value: '0.1' }]);
assert.deepEqual(read.data.tags.filter(t => t.key !== 'mlflow.runName'), [{ key: 'kept', value: 'yes' }, { key: 'note', value: 'häßlich 😀' }, { key: 'team', value: 'core' }]);
const history = (await client.Metrics.getHistory({ run_id, metric_key: 'loss' })).metrics;
assert.deepEqual(history.map(m => m.step), Array.from({ length: 20 }, (_, i) => i));

const found = await client.Runs.search({ experiment_ids: [experiment_id], filter: "metrics.loss < 0.06 and params.lr = '0.1' and tags.team = 'core' and attributes.status = 'FINISHED'", order_by: ['metrics.m7 DESC'] });
assert.deepEqual(found.runs.map(r => r.info.run_id), [run_id]);
assert.equal((await client.Runs.search({ experiment_ids: [experiment_id], filter: 'metrics.loss > 0.06' })).runs, undefined);

const refusal = await client.Runs.logParameter({ run_id, key: 'lr', value: '0.2' }).catch(e => e.message);
assert.match(refusal, /"status":400.*INVALID_PARAMETER_VALUE/s);
assert.match(await client.Runs.get({ run_id: 'f'.repeat(32) }).catch(e => e.message), /"status":404.*RESOURCE_DOES_NOT_EXIST/s);

const files = await fetch(`${endpoint}/api/2.0/mlflow-artifacts/artifacts/${experiment_id}/${run_id}/artifacts/model/weights.bin`, { method: 'PUT', body: 'weights', headers: { Authorization: `Bearer ${token}` } });
assert.equal(files.status, 200);
assert.deepEqual((await client.Artifacts.list({ run_id, path: 'model' })).files, [{ path: 'model/weights.bin', is_dir: false, file_size: 7 }]);

await client.Runs.delete({ run_id });
assert.equal((await client.Runs.search({ experiment_ids: [experiment_id] })).runs, undefined);
await client.Runs.restore({ run_id });
await client.Experiments.update({ experiment_id, new_name: 'renamed from npm' });
await client.Experiments.delete({ experiment_id });
await client.Experiments.restore({ experiment_id });
assert.equal((await client.Experiments.get({ experiment_id })).experiment.name, 'renamed from npm');
process.stdout.write(`${experiment_id} ${run_id}\n`);
