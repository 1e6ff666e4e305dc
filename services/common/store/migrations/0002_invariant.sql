-- What has to be true of all slices, counters, items and events between any two transactions. Tests call it after
-- everything that they do; operators may, at the price of reading all rows of the jobs.

CREATE INDEX slice_cancel ON slice (worker) WHERE state = 2 AND cancel;

-- One row per violation; none when all is well. `only` limits it to one job.
CREATE FUNCTION invariant_violations(only bigint DEFAULT NULL)
RETURNS TABLE (job bigint, stage integer, violation text)
LANGUAGE sql STABLE AS $$
    WITH s AS MATERIALIZED (
        SELECT slice.*, lag(slice.first + slice.count, 1, 0::bigint)
                            OVER (PARTITION BY slice.job, slice.stage ORDER BY slice.first) AS expected
        FROM slice WHERE only IS NULL OR slice.job = only
    ), t AS MATERIALIZED (
        SELECT stage.*, job.outcome, job.phase, job.paused, job.closed_at
        FROM stage JOIN job ON job.id = stage.job WHERE only IS NULL OR stage.job = only
    ), sums AS MATERIALIZED (
        SELECT s.job, s.stage, sum(count) AS total,
               coalesce(sum(count) FILTER (WHERE state IN (0, 1, 2, 3)), 0) AS open,
               coalesce(sum(count) FILTER (WHERE state IN (1, 2, 3)), 0) AS taken,
               coalesce(sum(count) FILTER (WHERE state = 0), 0) AS held,
               coalesce(sum(count) FILTER (WHERE state = 2), 0) AS leased,
               coalesce(sum(count) FILTER (WHERE state = 4), 0) AS succeeded,
               coalesce(sum(count) FILTER (WHERE state = 5), 0) AS failed,
               coalesce(sum(count) FILTER (WHERE state = 6), 0) AS cancelled
        FROM s GROUP BY s.job, s.stage
    ), chunk AS MATERIALIZED (
        SELECT item.*, lag(item.first + item.count, 1, 0::bigint)
                           OVER (PARTITION BY item.job, item.stage ORDER BY item.first) AS expected
        FROM item WHERE only IS NULL OR item.job = only
    )
    -- the partition
    SELECT s.job, s.stage::integer, format('slice at %s of %s begins where none was expected: %s', first, count, expected)
    FROM s WHERE first <> expected
    UNION ALL
    SELECT s.job, s.stage::integer, format('slice at %s belongs to no stage', first)
    FROM s WHERE NOT EXISTS (SELECT FROM t WHERE t.job = s.job AND t.stage = s.stage)
    UNION ALL
    SELECT t.job, t.stage::integer, format('slices cover %s of %s tasks', coalesce(sums.total, 0), t.total)
    FROM t LEFT JOIN sums USING (job, stage) WHERE t.total <> coalesce(sums.total, 0)
    -- the counters
    UNION ALL
    SELECT t.job, t.stage::integer,
           format('counted open %s succeeded %s failed %s cancelled %s, found %s %s %s %s', t.open, t.succeeded, t.failed,
                  t.cancelled, sums.open, sums.succeeded, sums.failed, sums.cancelled)
    FROM t JOIN sums USING (job, stage)
    WHERE (t.open, t.succeeded, t.failed, t.cancelled) <> (sums.open, sums.succeeded, sums.failed, sums.cancelled)
    -- leases
    UNION ALL
    SELECT s.job, s.stage::integer, format('leased slice at %s lacks worker, incarnation, token or time', first)
    FROM s WHERE state = 2 AND (worker IS NULL OR incarnation IS NULL OR token IS NULL OR leased_at IS NULL)
    UNION ALL
    SELECT min(s.job), NULL, format('token %s is leased %s times', token, count(*))
    FROM s WHERE state = 2 GROUP BY token HAVING count(*) > 1
    UNION ALL
    SELECT s.job, s.stage::integer, format('delayed slice at %s has no time, or is wider than a task', first)
    FROM s WHERE state = 3 AND (due_at IS NULL OR count <> 1)
    UNION ALL
    SELECT s.job, s.stage::integer, format('slice at %s differs from its stage in demand or priority', first)
    FROM s JOIN t USING (job, stage) WHERE (s.demand, s.priority) <> (t.demand, t.priority)
    -- who may be claimed
    UNION ALL
    SELECT s.job, s.stage::integer, format('slice at %s is ready though its job is not', first)
    FROM s JOIN t USING (job, stage)
    WHERE s.state = 1 AND (t.outcome IS NOT NULL OR t.phase <> 1 OR t.paused OR NOT t.released)
    UNION ALL
    SELECT t.job, t.stage::integer, format('%s tasks are held for no reason', sums.held)
    FROM t JOIN sums USING (job, stage)
    WHERE sums.held > 0 AND t.outcome IS NULL AND t.phase = 1 AND NOT t.paused AND t.released
      AND (t.max_parallel = 0 OR sums.taken < t.max_parallel)
    UNION ALL
    SELECT t.job, t.stage::integer, format('%s tasks are out, %s may be', sums.taken, t.max_parallel)
    FROM t JOIN sums USING (job, stage)
    WHERE t.max_parallel > 0 AND sums.taken > t.max_parallel AND t.phase = 1 AND NOT t.paused
    -- ends
    UNION ALL
    SELECT t.job, t.stage::integer, format('%s tasks are neither leased nor over though the job has ended', sums.open - sums.leased)
    FROM t JOIN sums USING (job, stage) WHERE t.outcome IS NOT NULL AND sums.open > sums.leased
    UNION ALL
    SELECT t.job, t.stage::integer, 'closed with open tasks'
    FROM t WHERE t.open > 0 AND (t.closed OR t.closed_at IS NOT NULL)
    UNION ALL
    SELECT t.job, NULL, format('closed though instance %s of %s is in state %s', i.epoch, i.name, i.state)
    FROM (SELECT DISTINCT t.job FROM t WHERE closed_at IS NOT NULL) AS t JOIN instance AS i ON i.job = t.job
    WHERE i.state NOT IN (11, 12)
    -- items
    UNION ALL
    SELECT chunk.job, chunk.stage::integer, format('items at %s begin where none were expected: %s', first, expected)
    FROM chunk WHERE first <> expected
    UNION ALL
    SELECT chunk.job, chunk.stage::integer, format('%s of %s tasks have items', sum(chunk.count), min(t.total))
    FROM chunk JOIN t USING (job, stage) GROUP BY chunk.job, chunk.stage HAVING sum(chunk.count) <> min(t.total)
    UNION ALL
    SELECT chunk.job, chunk.stage::integer, format('items at %s are not %s lines', first, count)
    FROM chunk WHERE count <> length(lines) - length(replace(lines, E'\n', '')) OR right(lines, 1) <> E'\n'
    -- events
    UNION ALL
    SELECT job.id, NULL, format('has %s events, counts %s', count(e.seq), job.event_count)
    FROM job LEFT JOIN event AS e ON e.job = job.id WHERE only IS NULL OR job.id = only
    GROUP BY job.id HAVING count(e.seq) <> job.event_count OR max(e.seq) <> job.event_count
$$;
