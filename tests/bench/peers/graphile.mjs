// graphile-worker, as its documentation's page on performance sets it up: graphile.mjs MODE COUNT
//
//   fill        adds COUNT jobs of 32 bytes
//   batched     works them: 24 at once, local queue of 500, completions in batches
//   unbatched   works them: 24 at once, each fetched and completed by itself
//   latency     works 2,000 jobs, then adds COUNT jobs, one every 20 ms, beside workers that wait
//
// Prints one line of JSON: how many jobs, and when the first and the last were begun; or the latencies, from the
// moment a job was meant to be added to the moment it begins, in milliseconds.
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const [mode, count] = [process.argv[2], Number(process.argv[3])];
const connectionString = `postgres://${process.env.PGUSER}@/${process.env.PGDATABASE}?host=${process.env.PGHOST}`;
const batching = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const payload = (i) => String(i).padStart(30, "0"); // with its quotes 32 bytes
const quiet = { error: console.error, warning: console.error, info() {}, debug() {} };
const logger = new Logger(() => (level, message) => quiet[level]?.(message));

async function fill() {
    const utils = await makeWorkerUtils({ connectionString, logger });
    await utils.migrate();
    for (let i = 0; i < count; i += 5000) {
        const jobs = Array.from({ length: Math.min(5000, count - i) }, (_, n) => ({
            identifier: "task",
            payload: payload(i + n),
        }));
        await utils.addJobs(jobs);
    }
    await utils.withPgClient((client) => client.query("VACUUM (ANALYZE)"));
    await utils.release();
}

function start(taskList, batched) {
    return run({
        taskList,
        logger,
        noHandleSignals: true,
        preset: { worker: { connectionString, concurrentJobs: 24, maxPoolSize: 25, ...(batched ? batching : {}) } },
    });
}

async function work(batched) {
    const seen = new Set();
    let first = 0, last = 0;
    const runner = await start({
        task(item) {
            last = Date.now();
            first ||= last;
            if (seen.has(item)) throw new Error(`${item} was begun twice`);
            seen.add(item);
        },
    }, batched);
    // Other processes work on the same jobs: over when none is left in the database.
    const utils = await makeWorkerUtils({ connectionString, logger });
    const left = () => utils.withPgClient((client) =>
        client.query("SELECT EXISTS (SELECT FROM graphile_worker.jobs) AS some"));
    while ((await left()).rows[0].some) await new Promise((done) => setTimeout(done, 50));
    await runner.stop();
    await utils.release();
    console.log(JSON.stringify({ count: seen.size, first, last }));
}

async function latency() {
    const due = [], latencies = [];
    let ended, before = 2000, warm;
    const end = new Promise((done) => { ended = done; });
    const used = new Promise((done) => { warm = done; });
    const runner = await start({
        task(item) {
            if (before > 0) {
                if (--before === 0) warm();
                return;
            }
            latencies.push(performance.now() - due[Number(item)]);
            if (latencies.length === count) ended();
        },
    }, false);
    const utils = await makeWorkerUtils({ connectionString, logger });
    await utils.addJobs(Array.from({ length: before }, (_, n) => ({ identifier: "task", payload: payload(n) })));
    await used;
    await new Promise((done) => setTimeout(done, 1000));
    const began = performance.now();
    for (let i = 0; i < count; i++) {
        due[i] = began + i * 20;
        await new Promise((done) => setTimeout(done, Math.max(0, due[i] - performance.now())));
        due[i] = Math.max(due[i], performance.now()); // a timer that is late is not the queue's fault
        utils.addJob("task", payload(i));
    }
    await end;
    await runner.stop();
    await utils.release();
    console.log(JSON.stringify({ latencies }));
}

await { fill, batched: () => work(true), unbatched: () => work(false), latency }[mode]();
process.exit(0);
