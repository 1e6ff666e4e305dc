// pg-boss: pgboss.mjs MODE COUNT
//
//   fill        inserts COUNT jobs of 32 bytes
//   batched     fetches and completes 500 at a time, two such loops
//   unbatched   one at a time, 24 such loops
//
// Prints one line of JSON: how many jobs were done exactly once, and when the first and the last.
import { PgBoss } from "pg-boss";

const [mode, count] = [process.argv[2], Number(process.argv[3])];
const boss = new PgBoss({
    host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE,
    max: 25, supervise: mode === "fill", schedule: false,
});
boss.on("error", console.error);
await boss.start();

async function fill() {
    await boss.createQueue("bench");
    for (let i = 0; i < count; i += 5000) {
        const jobs = Array.from({ length: Math.min(5000, count - i) }, (_, n) => ({
            data: { i: String(i + n).padStart(24, "0") },
        }));
        await boss.insert("bench", jobs);
    }
    await boss.getDb().executeSql("VACUUM (ANALYZE)");
}

async function work(batchSize, loops) {
    const seen = new Set();
    let first = 0, last = 0;
    async function loop() {
        for (;;) {
            const jobs = await boss.fetch("bench", { batchSize });
            if (!jobs.length) return;
            first ||= Date.now();
            for (const job of jobs) {
                if (seen.has(job.id)) throw new Error(`${job.id} was fetched twice`);
                seen.add(job.id);
            }
            await boss.complete("bench", jobs.map((job) => job.id));
            last = Date.now();
        }
    }
    await Promise.all(Array.from({ length: loops }, loop));
    console.log(JSON.stringify({ count: seen.size, first, last }));
}

await { fill, batched: () => work(500, 2), unbatched: () => work(1, 24) }[mode]();
await boss.stop({ graceful: false });
process.exit(0);
