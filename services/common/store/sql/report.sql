-- Reports of workers, as services/common/store/hot_report*.c merges them. Numbers of states are those of
-- services/common/model/states.h. A batch holds the row locks of all its jobs before it reads anything else of them.
-- "x = ANY (ARRAY[y])" is x = y in a way that has one plan: docs/decisions/0030-one-plan.md.

-- name: hot_lock_jobs
SELECT id, outcome, phase, paused, closed_at IS NOT NULL, services, started_at IS NOT NULL, log_bytes, event_count
  FROM job
 WHERE id = ANY ($1::bigint[])
 ORDER BY id
   FOR NO KEY UPDATE

-- name: hot_stages
-- Each stage from the end of its versions, of which the newest is the last one and ends the look: while somebody holds a
-- snapshot there are as many as transactions that have changed it.
SELECT g.job, g.stage, g.demand, g.priority, g.from_stage, g.fail_job, g.retries_max, g.backoff_ms, g.backoff_max_ms,
       g.max_parallel, g.total, g.open, g.released, g.rank, g.name
  FROM (SELECT unnest($1::bigint[]) AS job) u
 CROSS JOIN LATERAL (SELECT generate_series(0, (SELECT s.stage FROM stage s WHERE s.job = u.job ORDER BY s.stage DESC
                                                 LIMIT 1)) AS stage) p
 CROSS JOIN LATERAL (SELECT *
                       FROM stage s
                      WHERE s.job = u.job AND s.stage BETWEEN p.stage AND p.stage
                      ORDER BY s.stage DESC
                      LIMIT 1) g
 ORDER BY g.job, g.stage

-- name: hot_leased
-- Arrays: worker, token. With OFFSET 0 each is looked up by itself; a plan that was made for an empty table would else go
-- through all leased slices.
SELECT u.ordinal, s.job, s.stage, s.first, s.count, s.attempt, s.failures, s.incarnation, s.leased_at
  FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS u (worker, token, ordinal)
 CROSS JOIN LATERAL (SELECT * FROM slice l WHERE l.worker = u.worker AND l.token = u.token AND l.state = 2 OFFSET 0) s

-- name: hot_held
-- Everything that is leased to these workers, and since how many milliseconds.
SELECT worker, token, incarnation, job, (extract(epoch FROM clock_timestamp() - leased_at) * 1000)::bigint
  FROM slice
 WHERE worker = ANY ($1::bigint[]) AND state = 2
 ORDER BY worker, token

-- name: hot_neighbours
-- Arrays: job, stage, from, to, how many tasks of the stage end now. The succeeded slices that these ranges take in: the one
-- behind, and of those before it, one after the other, what is not wider than what it meets; all when no more are open. Nothing
-- wider is looked for: its row lies before everything that has been leased of it. The stage is found as in hot_stages.
SELECT u.ordinal, n.first, n.count
  FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[]) WITH ORDINALITY
       AS u (job, stage, start, finish, tasks, ordinal)
 CROSS JOIN LATERAL (SELECT g.open = u.tasks AS is_last
                       FROM stage g
                      WHERE g.job = u.job AND g.stage BETWEEN u.stage AND u.stage
                      ORDER BY g.stage DESC
                      LIMIT 1) l
 CROSS JOIN LATERAL (
       WITH RECURSIVE behind AS (
           SELECT a.first, a.count
             FROM slice a
            WHERE a.job = u.job AND a.stage = u.stage AND a.first = u.finish AND a.state = 4
       ), before (first, count, width) AS (
           SELECT u.start, 0::bigint, u.finish - u.start + coalesce((SELECT count FROM behind), 0)
           UNION ALL
           SELECT b.first, b.count, t.width + b.count
             FROM before t
            CROSS JOIN LATERAL (SELECT s.first, s.count, s.state
                                  FROM slice s
                                 WHERE s.job = u.job AND s.stage = u.stage AND s.first < t.first
                                   AND s.first >= CASE WHEN l.is_last THEN 0 ELSE t.first - t.width END
                                 ORDER BY s.first DESC
                                 LIMIT 1) b
            WHERE b.state = 4 AND b.first + b.count = t.first
       )
       SELECT first, count FROM behind
       UNION ALL
       SELECT first, count FROM before WHERE count > 0) n

-- name: hot_succeed
-- Arrays of ranges: job, stage, from, to, attempt, how many tasks of the stage end now; of leases: job, stage, from, to, the
-- first of the tokens and the last, incarnation; how many leases these are. Ends the leases and writes the ranges as
-- succeeded, together with what hot_neighbours says that they take in, when nothing else follows from it: the leases are as
-- they are said to be, more of each stage is open, no job is over or begins. Without a flush: the next commit brings it.
WITH u AS MATERIALIZED (
    SELECT k.*, g.place, g.demand, g.priority, g.open, g.max_parallel
      FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::integer[], $6::bigint[]) WITH ORDINALITY
           AS k (job, stage, start, finish, attempt, tasks, ordinal)
     CROSS JOIN LATERAL (SELECT s.ctid AS place, s.*
                           FROM stage s
                          WHERE s.job = k.job AND s.stage BETWEEN k.stage AND k.stage
                          ORDER BY s.stage DESC
                          LIMIT 1) g
), leased AS MATERIALIZED (
    SELECT s.ctid AS place
      FROM (SELECT unnest($7::bigint[]) AS job, unnest($8::smallint[]) AS stage, unnest($9::bigint[]) AS start,
                   unnest($10::bigint[]) AS finish, unnest($11::bigint[]) AS token, unnest($12::bigint[]) AS token_last,
                   unnest($13::integer[]) AS incarnation) k
      JOIN slice s ON s.job = ANY (ARRAY[k.job]) AND s.stage = k.stage AND s.first >= k.start AND s.first < k.finish
                  AND s.token BETWEEN k.token AND k.token_last AND s.incarnation = k.incarnation
), beside AS MATERIALIZED (
    SELECT u.ordinal, n.place, n.first, n.count
      FROM u
     CROSS JOIN LATERAL (
           WITH RECURSIVE behind AS (
               SELECT a.ctid AS place, a.first, a.count
                 FROM slice a
                WHERE a.job = u.job AND a.stage = u.stage AND a.first = u.finish AND a.state = 4
           ), before (place, first, count, width) AS (
               SELECT NULL::tid, u.start, 0::bigint, u.finish - u.start + coalesce((SELECT count FROM behind), 0)
               UNION ALL
               SELECT b.place, b.first, b.count, t.width + b.count
                 FROM before t
                CROSS JOIN LATERAL (SELECT s.ctid AS place, s.first, s.count, s.state
                                      FROM slice s
                                     WHERE s.job = u.job AND s.stage = u.stage AND s.first < t.first
                                       AND s.first >= t.first - t.width
                                     ORDER BY s.first DESC
                                     LIMIT 1) b
                WHERE b.state = 4 AND b.first + b.count = t.first
           )
           SELECT place, first, count FROM behind
           UNION ALL
           SELECT place, first, count FROM before WHERE count > 0) n
), sure AS MATERIALIZED (
    SELECT (SELECT count(*) FROM leased) = $14::bigint
           AND (SELECT count(*) = count(DISTINCT place) FROM beside)
           AND (SELECT bool_and(open > tasks AND max_parallel = 0) FROM u)
           AND NOT EXISTS (SELECT
                             FROM job j
                            WHERE j.id = ANY ($1::bigint[])
                              AND (j.outcome IS NOT NULL OR (j.started_at IS NULL AND j.services = 0))) AS so
), gone AS (
    DELETE FROM slice
     WHERE (SELECT so FROM sure) AND ctid = ANY (ARRAY(SELECT place FROM leased UNION ALL SELECT place FROM beside))
    RETURNING 1
), made AS (
    INSERT INTO slice (job, stage, first, count, state, attempt, demand, priority)
    SELECT u.job, u.stage, least(u.start, n.first), greatest(u.finish, n.finish) - least(u.start, n.first), 4, u.attempt,
           u.demand, u.priority
      FROM u
     CROSS JOIN (SELECT count(*) FROM gone) before_that
     CROSS JOIN LATERAL (SELECT min(b.first) AS first, max(b.first + b.count) AS finish
                           FROM beside b
                          WHERE b.ordinal = u.ordinal) n
     WHERE (SELECT so FROM sure)
), counted AS (
    UPDATE stage g
       SET succeeded = g.succeeded + c.tasks, open = g.open - c.tasks
      FROM (SELECT DISTINCT place, tasks FROM u) c
     WHERE g.ctid = c.place AND (SELECT so FROM sure)
    RETURNING g.job, g.stage, g.open
)
SELECT s.so, c.job, c.stage, c.open, CASE WHEN s.so THEN set_config('synchronous_commit', 'off', true) END
  FROM sure s
  LEFT JOIN counted c ON true

-- name: hot_flush
-- A transaction that writes this and nothing else brings everything before it to the disk, and to synchronous standbys.
SELECT pg_logical_emit_message(true, 'curfew', '')

-- name: hot_ranks
-- Arrays: demand, priority. The head of each queue.
SELECT u.ordinal, coalesce((SELECT s.rank
                              FROM slice s
                             WHERE s.state = 1 AND s.demand = u.demand AND s.priority = u.priority
                             ORDER BY s.rank
                             LIMIT 1), 0)
  FROM unnest($1::integer[], $2::smallint[]) WITH ORDINALITY AS u (demand, priority, ordinal)

-- name: hot_slices_delete
-- Arrays: job, stage, from, to, the first of the tokens and the last (0: not leased), incarnation. Whoever asks compares how
-- many rows it were.
DELETE FROM slice s
 USING (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::bigint[]) AS start,
               unnest($4::bigint[]) AS finish, unnest($5::bigint[]) AS token, unnest($6::bigint[]) AS token_last,
               unnest($7::integer[]) AS incarnation) u
 WHERE s.job = ANY (ARRAY[u.job]) AND s.stage = u.stage AND s.first >= u.start AND s.first < u.finish
   AND coalesce(s.token, 0) BETWEEN u.token AND u.token_last AND u.incarnation IN (0, s.incarnation)

-- name: hot_slices_update
-- Arrays: job, stage, first, count, state, attempt, failures, rank, delay (ms; of delayed ones), token (0: not leased),
-- incarnation. Ends the lease. Whoever asks compares how many rows it were.
UPDATE slice s
   SET count = u.count, state = u.state, attempt = u.attempt, failures = u.failures, rank = u.rank, worker = NULL,
       incarnation = NULL, token = NULL, leased_at = NULL, cancel = false,
       due_at = CASE WHEN u.state = 3 THEN clock_timestamp() + u.delay_ms * interval '1 millisecond' END
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::bigint[]) AS first,
               unnest($4::bigint[]) AS count, unnest($5::smallint[]) AS state, unnest($6::integer[]) AS attempt,
               unnest($7::integer[]) AS failures, unnest($8::bigint[]) AS rank, unnest($9::bigint[]) AS delay_ms,
               unnest($10::bigint[]) AS token, unnest($11::integer[]) AS incarnation) u
 WHERE s.job = ANY (ARRAY[u.job]) AND s.stage = u.stage AND s.first = u.first AND coalesce(s.token, 0) = u.token
   AND u.incarnation IN (0, s.incarnation)

-- name: hot_slices_insert
-- Arrays: job, stage, first, count, state, attempt, failures, rank, delay (ms), demand, priority.
INSERT INTO slice (job, stage, first, count, state, attempt, failures, rank, due_at, demand, priority)
SELECT u.job, u.stage, u.first, u.count, u.state, u.attempt, u.failures, u.rank,
       CASE WHEN u.state = 3 THEN clock_timestamp() + u.delay_ms * interval '1 millisecond' END, u.demand, u.priority
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::bigint[]) AS first,
               unnest($4::bigint[]) AS count, unnest($5::smallint[]) AS state, unnest($6::integer[]) AS attempt,
               unnest($7::integer[]) AS failures, unnest($8::bigint[]) AS rank, unnest($9::bigint[]) AS delay_ms,
               unnest($10::integer[]) AS demand, unnest($11::smallint[]) AS priority) u

-- name: hot_stages_update
-- Arrays: job, stage, and what is added to total, succeeded, failed and cancelled; the rank that is reached. Found as in
-- hot_stages; under the locks of the jobs it stays where it is.
UPDATE stage g
   SET total = g.total + u.total, succeeded = g.succeeded + u.succeeded, failed = g.failed + u.failed,
       cancelled = g.cancelled + u.cancelled, open = g.open + u.total - u.succeeded - u.failed - u.cancelled,
       rank = greatest(g.rank, u.rank)
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::bigint[]) AS total,
               unnest($4::bigint[]) AS succeeded, unnest($5::bigint[]) AS failed, unnest($6::bigint[]) AS cancelled,
               unnest($7::bigint[]) AS rank) u
 CROSS JOIN LATERAL (SELECT s.ctid AS place
                       FROM stage s
                      WHERE s.job = u.job AND s.stage BETWEEN u.stage AND u.stage
                      ORDER BY s.stage DESC
                      LIMIT 1) p
 WHERE g.ctid = p.place

-- name: hot_jobs_update
-- Arrays: job, log bytes, events, started at (microseconds; 0: as it is).
UPDATE job
   SET log_bytes = u.log_bytes, event_count = u.event_count,
       started_at = coalesce(job.started_at, time_of(nullif(u.started_us, 0)))
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::bigint[]) AS log_bytes, unnest($3::integer[]) AS event_count,
               unnest($4::bigint[]) AS started_us) u
 WHERE job.id = ANY (ARRAY[u.job])

-- name: hot_errors
-- Arrays: job, stage, task, attempt, error, exit (-1: none).
INSERT INTO task_error (job, stage, task, attempt, error, exit, at)
SELECT u.job, u.stage, u.task, u.attempt, u.error, nullif(u.exit, -1), clock_timestamp()
  FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::integer[], $5::text[], $6::integer[])
       AS u (job, stage, task, attempt, error, exit)
    ON CONFLICT (job, stage, task) DO UPDATE
   SET attempt = excluded.attempt, error = excluded.error, exit = excluded.exit, at = excluded.at

-- name: hot_task_runs
-- Arrays: job, token, stage, first, count, attempt, worker, succeeded, failed, leased at (microseconds).
INSERT INTO task_run (job, token, stage, first, count, attempt, worker, succeeded, failed, leased_at, ended_at)
SELECT u.job, u.token, u.stage, u.first, u.count, u.attempt, u.worker, u.succeeded, u.failed, time_of(u.leased_us),
       clock_timestamp()
  FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::integer[], $7::bigint[],
              $8::bigint[], $9::bigint[], $10::bigint[])
       AS u (job, token, stage, first, count, attempt, worker, succeeded, failed, leased_us)

-- name: hot_results
-- Arrays: job, stage, task, ordinal, output.
INSERT INTO result (job, stage, task, ordinal, output)
SELECT *
  FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::integer[], $5::text[])
       AS u (job, stage, task, ordinal, output)

-- name: hot_items_insert
-- Arrays: job, stage, first, count, lines.
INSERT INTO item (job, stage, first, count, lines)
SELECT *
  FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::integer[], $5::text[]) AS u (job, stage, first, count, lines)

-- name: hot_logs_known
-- Arrays: job, source. How far what has come of each reaches.
SELECT u.ordinal, l.reach
  FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS u (job, source, ordinal)
 CROSS JOIN LATERAL (SELECT o.position + octet_length(o.content) AS reach
                       FROM log o
                      WHERE o.job = u.job AND o.source = u.source
                      ORDER BY o.position DESC
                      LIMIT 1) l

-- name: hot_logs
-- Arrays: job, source, position, seq, content.
INSERT INTO log (job, source, position, seq, at, content)
SELECT u.job, u.source, u.position, u.seq, clock_timestamp(), u.content
  FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[])
       AS u (job, source, position, seq, content)
    ON CONFLICT DO NOTHING
