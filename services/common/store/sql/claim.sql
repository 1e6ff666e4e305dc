-- Claims: services/common/store/hot_claim.c cuts what these read. A claim takes no lock of a job, only of ready slices.
-- "x = ANY (ARRAY[y])" is x = y in a way that has one plan: docs/decisions/0030-one-plan.md.

-- name: hot_candidates
-- Arrays: demand, how many slices at most, priority, rank, job. The heads of these queues: everything of a higher priority, then
-- what has this priority from this rank and job on. With a priority below all others that is all there is.
SELECT k.demand, s.job, s.stage, s.first, s.count, s.attempt, s.failures, s.priority, s.rank, clock_timestamp()
  FROM (SELECT unnest($1::integer[]) AS demand, unnest($2::integer[]) AS most, unnest($3::smallint[]) AS priority,
               unnest($4::bigint[]) AS rank, unnest($5::bigint[]) AS job) k
 CROSS JOIN LATERAL (SELECT *
                       FROM (SELECT *
                               FROM slice r
                              WHERE r.state = 1 AND r.demand = k.demand AND r.priority > k.priority
                              ORDER BY r.priority DESC, r.rank, r.job
                              LIMIT k.most
                                FOR UPDATE SKIP LOCKED) higher
                      UNION ALL
                     SELECT *
                       FROM (SELECT *
                               FROM slice r
                              WHERE r.state = 1 AND r.demand = k.demand AND r.priority = k.priority
                                AND (r.rank, r.job) >= (k.rank, k.job)
                              ORDER BY r.rank, r.job
                              LIMIT k.most
                                FOR UPDATE SKIP LOCKED) same
                      LIMIT k.most) s

-- name: hot_ready_left
-- Array of demands. Those that have ready slices, locked by others or not.
SELECT u.demand
  FROM unnest($1::integer[]) AS u (demand)
 CROSS JOIN LATERAL (SELECT FROM slice s WHERE s.state = 1 AND s.demand = u.demand LIMIT 1) s

-- name: hot_tokens_raise
SELECT raise_lease_token()

-- name: hot_tokens
-- The first of a block of tokens that nobody else is given, and how many they are.
SELECT nextval('lease_token'), (SELECT seqincrement FROM pg_sequence WHERE seqrelid = 'lease_token'::regclass)

-- name: hot_lease
-- Arrays: job, stage, first, count, worker, incarnation, token; since when (microseconds). Leases slices from their beginning.
UPDATE slice s
   SET state = 2, count = u.count, attempt = s.attempt + 1, worker = u.worker, incarnation = u.incarnation,
       token = u.token, leased_at = (SELECT time_of($8::bigint))
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::bigint[]) AS first,
               unnest($4::bigint[]) AS count, unnest($5::bigint[]) AS worker, unnest($6::integer[]) AS incarnation,
               unnest($7::bigint[]) AS token) u
 WHERE s.job = ANY (ARRAY[u.job]) AND s.stage = u.stage AND s.first = u.first

-- name: hot_shrink
-- Arrays: job, stage, first, tasks that are cut off its beginning.
UPDATE slice s
   SET first = s.first + u.cut, count = s.count - u.cut, rank = s.rank + u.cut
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::bigint[]) AS first,
               unnest($4::bigint[]) AS cut) u
 WHERE s.job = ANY (ARRAY[u.job]) AND s.stage = u.stage AND s.first = u.first

-- name: hot_lease_cut
-- Inserts what was cut off. Arrays of runs of leases: job, stage, first, width, attempt, failures, demand, priority, rank and token
-- of the first of them, and where they are, from 1, in the arrays of workers and incarnations that follow; since when
-- (microseconds).
INSERT INTO slice (job, stage, first, count, state, attempt, failures, demand, priority, rank, worker, incarnation,
                   token, leased_at)
SELECT r.job, r.stage, r.first + l.n * r.width, r.width, 2, r.attempt, r.failures, r.demand, r.priority,
       r.rank + l.n * r.width, l.worker, l.incarnation, r.token + l.n, (SELECT time_of($15::bigint))
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::bigint[]) AS first,
               unnest($4::bigint[]) AS width, unnest($5::integer[]) AS attempt, unnest($6::integer[]) AS failures,
               unnest($7::integer[]) AS demand, unnest($8::smallint[]) AS priority, unnest($9::bigint[]) AS rank,
               unnest($10::bigint[]) AS token, unnest($11::integer[]) AS start, unnest($12::integer[]) AS finish) r
 CROSS JOIN LATERAL (SELECT unnest(($13::bigint[])[r.start:r.finish]) AS worker,
                            unnest(($14::integer[])[r.start:r.finish]) AS incarnation,
                            generate_series(0::bigint, r.finish - r.start) AS n) l

-- name: hot_runs
-- Arrays: job, stage. The trace of the job is for outside workers: what Curfew runs finds it in its environment.
SELECT u.ordinal, g.name, g.run, j.bundle, j.services, CASE WHEN g.run IS NULL THEN j.traceparent END
  FROM unnest($1::bigint[], $2::smallint[]) WITH ORDINALITY AS u (job, stage, ordinal)
  JOIN stage g ON g.job = ANY (ARRAY[u.job]) AND g.stage = u.stage
  JOIN job j ON j.id = ANY (ARRAY[u.job])
 ORDER BY u.ordinal

-- name: hot_items
-- Arrays: job, stage, from, to. The chunks that hold the items of these tasks.
SELECT u.ordinal, i.first, i.count, i.lines
  FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
       AS u (job, stage, start, finish, ordinal)
 CROSS JOIN LATERAL (SELECT m.first, m.count, m.lines
                       FROM item m
                      WHERE m.job = u.job AND m.stage = u.stage AND m.first < u.finish
                        AND m.first >= (SELECT c.first FROM item c
                                         WHERE c.job = u.job AND c.stage = u.stage AND c.first <= u.start
                                         ORDER BY c.first DESC
                                         LIMIT 1)
                      OFFSET 0) i
 ORDER BY u.ordinal, i.first
