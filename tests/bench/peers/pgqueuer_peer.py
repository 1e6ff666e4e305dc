"""pgqueuer: pgqueuer_peer.py MODE COUNT

  fill        inserts COUNT jobs of 32 bytes
  batched     works them: fetches and completes 500 at a time

Prints one line of JSON: how many jobs were done exactly once, and when the first and the last were begun.
"""
import asyncio
import json
import os
import sys
import time

import asyncpg
import uvloop
from pgqueuer import QueueManager
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

mode, count = sys.argv[1], int(sys.argv[2])


async def fill(queries, pool):
    await queries.install()
    for begin in range(0, count, 5000):
        numbers = range(begin, min(begin + 5000, count))
        await queries.enqueue(["bench"] * len(numbers), [f"{n:032}".encode() for n in numbers], [0] * len(numbers))
    await pool.execute("VACUUM (ANALYZE)")


async def work(driver):
    seen, moments = set(), []
    manager = QueueManager(Queries(driver))

    @manager.entrypoint("bench")
    async def bench(job):
        moments[1:] = [time.time()]
        if job.id in seen:
            sys.exit(f"{job.id} was begun twice")
        seen.add(job.id)

    await manager.run(batch_size=500, mode=QueueExecutionMode.drain)
    print(json.dumps({"count": len(seen), "first": int(moments[0] * 1000), "last": int(moments[-1] * 1000)}))


async def main():
    async with asyncpg.create_pool(host=os.environ["PGHOST"], user=os.environ["PGUSER"],
                                   database=os.environ["PGDATABASE"], min_size=2, max_size=25) as pool:
        driver = AsyncpgPoolDriver(pool)
        if mode == "fill":
            await fill(Queries(driver), pool)
        else:
            await work(driver)


uvloop.run(main())
