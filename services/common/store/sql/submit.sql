-- Submissions: services/common/store/hot_submit*.c.
-- "x = ANY (ARRAY[y])" is x = y in a way that has one plan: docs/decisions/0030-one-plan.md.

-- name: hot_bundles_use
-- Array of hashes. Keeps them from being removed; seldom, because others wait for the row.
UPDATE bundle b
   SET last_used_at = clock_timestamp()
  FROM (SELECT hash FROM bundle
         WHERE hash = ANY ($1::text[]) AND last_used_at < clock_timestamp() - interval '1 minute'
         ORDER BY hash
           FOR NO KEY UPDATE) u
 WHERE b.hash = ANY (ARRAY[u.hash])

-- name: hot_bundles
SELECT hash FROM bundle WHERE hash = ANY ($1::text[])

-- name: hot_demand_find
-- Arrays: queue, runtime, labels.
SELECT u.ordinal, d.id
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (queue, runtime, labels, ordinal)
  JOIN demand d ON d.queue = ANY (ARRAY[u.queue]) AND d.runtime = u.runtime AND d.labels = u.labels::jsonb

-- name: hot_demand_lock
-- One writer at a time, so that demands become visible in the order of their ids.
SELECT pg_advisory_xact_lock(20260107, 1)

-- name: hot_demand_insert
-- Arrays: queue, runtime, labels.
INSERT INTO demand (queue, runtime, labels)
SELECT u.queue, u.runtime, u.labels::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[]) AS u (queue, runtime, labels)
    ON CONFLICT DO NOTHING

-- name: hot_jobs_insert
-- Arrays, see hot_submit_rows.c. A key that is taken leaves its job out.
INSERT INTO job (id, name, labels, priority, spec, bundle, idempotency_key, fingerprint, autostop_on, linger_ms,
                 keep_on_failure_ms, timeout_ms, max_lifetime_ms, services, phase, cleanup, created_at, attention_at,
                 event_count, namespace, owner, traceparent)
SELECT u.id, u.name, u.labels::jsonb, u.priority, u.spec, u.bundle, u.key, u.fingerprint, u.autostop_on, u.linger_ms,
       u.keep_on_failure_ms, u.timeout_ms, u.max_lifetime_ms, u.services, u.phase, 0, now.at,
       CASE WHEN u.timeout_ms > 0 AND u.phase = 1 THEN now.at + u.timeout_ms * interval '1 millisecond' END, u.events,
       u.namespace, nullif(u.owner, 0), u.traceparent
  FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS name, unnest($3::text[]) AS labels,
               unnest($4::smallint[]) AS priority, unnest($5::text[]) AS spec, unnest($6::text[]) AS bundle,
               unnest($7::text[]) AS key, unnest($8::text[]) AS fingerprint, unnest($9::smallint[]) AS autostop_on,
               unnest($10::bigint[]) AS linger_ms, unnest($11::bigint[]) AS keep_on_failure_ms,
               unnest($12::bigint[]) AS timeout_ms, unnest($13::bigint[]) AS max_lifetime_ms,
               unnest($14::smallint[]) AS services, unnest($15::smallint[]) AS phase, unnest($16::integer[]) AS events,
               unnest($17::text[]) AS namespace, unnest($18::bigint[]) AS owner, unnest($19::text[]) AS traceparent) u,
       (SELECT clock_timestamp() AS at) now
    ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id

-- name: hot_submit
-- All of plain jobs at once. Arrays: jobs ($1 to $19) and stages ($20 to $35) as in hot_jobs_insert and hot_stages_insert;
-- slices ($36 to $46): job, stage, first, count, state, demand, priority, rank, and who shall have them: worker (0: nobody),
-- incarnation, token; items ($47 to $51) as in hot_items_insert; events ($52 to $55) as in event_insert; queues ($56, $57):
-- demand, priority. Ranks count from the head of the queue. Returns the slices, by their place, without those of jobs
-- whose key is taken. Nobody is given a slice while others' wait in the queue, or unless they may have it.
WITH queue AS MATERIALIZED (
    SELECT u.demand, u.priority,
           (SELECT true FROM slice s WHERE s.state = 1 AND s.demand = u.demand LIMIT 1) IS NULL AS is_idle,
           coalesce((SELECT s.rank
                       FROM slice s
                      WHERE s.state = 1 AND s.demand = u.demand AND s.priority = u.priority
                      ORDER BY s.rank
                      LIMIT 1), 0) AS head
      FROM (SELECT unnest($56::integer[]) AS demand, unnest($57::smallint[]) AS priority) u
), new_job AS (
    INSERT INTO job (id, name, labels, priority, spec, bundle, idempotency_key, fingerprint, autostop_on, linger_ms,
                     keep_on_failure_ms, timeout_ms, max_lifetime_ms, services, phase, cleanup, created_at, attention_at,
                     event_count, namespace, owner, traceparent)
    SELECT u.id, u.name, u.labels::jsonb, u.priority, u.spec, u.bundle, u.key, u.fingerprint, u.autostop_on, u.linger_ms,
           u.keep_on_failure_ms, u.timeout_ms, u.max_lifetime_ms, u.services, u.phase, 0, now.at,
           CASE WHEN u.timeout_ms > 0 THEN now.at + u.timeout_ms * interval '1 millisecond' END, u.events, u.namespace,
           nullif(u.owner, 0), u.traceparent
      FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS name, unnest($3::text[]) AS labels,
                   unnest($4::smallint[]) AS priority, unnest($5::text[]) AS spec, unnest($6::text[]) AS bundle,
                   unnest($7::text[]) AS key, unnest($8::text[]) AS fingerprint, unnest($9::smallint[]) AS autostop_on,
                   unnest($10::bigint[]) AS linger_ms, unnest($11::bigint[]) AS keep_on_failure_ms,
                   unnest($12::bigint[]) AS timeout_ms, unnest($13::bigint[]) AS max_lifetime_ms,
                   unnest($14::smallint[]) AS services, unnest($15::smallint[]) AS phase,
                   unnest($16::integer[]) AS events, unnest($17::text[]) AS namespace, unnest($18::bigint[]) AS owner,
                   unnest($19::text[]) AS traceparent) u,
           (SELECT clock_timestamp() AS at) now
        ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id
), new_stage AS (
    INSERT INTO stage (job, stage, name, demand, priority, run, from_stage, after_mask, fail_job, retries_max, backoff_ms,
                       backoff_max_ms, max_parallel, total, open, released, rank)
    SELECT u.job, u.stage, u.name, u.demand, u.priority, u.run, nullif(u.from_stage, -1::smallint), u.after_mask,
           u.fail_job, u.retries_max, u.backoff_ms, u.backoff_max_ms, u.max_parallel, u.total, u.total, u.released,
           CASE WHEN u.released
                THEN u.rank + (SELECT q.head FROM queue q WHERE q.demand = u.demand AND q.priority = u.priority) ELSE 0 END
      FROM (SELECT unnest($20::bigint[]) AS job, unnest($21::smallint[]) AS stage, unnest($22::text[]) AS name,
                   unnest($23::integer[]) AS demand, unnest($24::smallint[]) AS priority, unnest($25::text[]) AS run,
                   unnest($26::smallint[]) AS from_stage, unnest($27::bigint[]) AS after_mask,
                   unnest($28::boolean[]) AS fail_job, unnest($29::integer[]) AS retries_max,
                   unnest($30::bigint[]) AS backoff_ms, unnest($31::bigint[]) AS backoff_max_ms,
                   unnest($32::integer[]) AS max_parallel, unnest($33::bigint[]) AS total,
                   unnest($34::boolean[]) AS released, unnest($35::bigint[]) AS rank) u
     WHERE (u.job IN (SELECT id FROM new_job)) IS TRUE
), new_item AS (
    INSERT INTO item (job, stage, first, count, lines)
    SELECT *
      FROM (SELECT unnest($47::bigint[]) AS job, unnest($48::smallint[]), unnest($49::bigint[]), unnest($50::integer[]),
                   unnest($51::text[])) u
     WHERE (u.job IN (SELECT id FROM new_job)) IS TRUE
), new_event AS (
    INSERT INTO event (job, seq, at, kind, data)
    SELECT u.job, u.seq, (SELECT clock_timestamp()), u.kind, u.data
      FROM (SELECT unnest($52::bigint[]) AS job, unnest($53::integer[]) AS seq, unnest($54::text[]) AS kind,
                   unnest($55::text[]) AS data) u
     WHERE (u.job IN (SELECT id FROM new_job)) IS TRUE
), new_slice AS (
    INSERT INTO slice (job, stage, first, count, state, attempt, demand, priority, rank, worker, incarnation, token,
                       leased_at)
    SELECT u.job, u.stage, u.first, u.count, CASE WHEN w.id IS NULL THEN u.state ELSE 2 END,
           CASE WHEN w.id IS NULL THEN 0 ELSE 1 END, u.demand, u.priority,
           CASE u.state WHEN 1 THEN u.rank + q.head ELSE 0 END, w.id, w.incarnation,
           CASE WHEN w.id IS NOT NULL THEN u.token END, CASE WHEN w.id IS NOT NULL THEN (SELECT clock_timestamp()) END
      FROM (SELECT unnest($36::bigint[]) AS job, unnest($37::smallint[]) AS stage, unnest($38::bigint[]) AS first,
                   unnest($39::bigint[]) AS count, unnest($40::smallint[]) AS state, unnest($41::integer[]) AS demand,
                   unnest($42::smallint[]) AS priority, unnest($43::bigint[]) AS rank, unnest($44::bigint[]) AS worker,
                   unnest($45::integer[]) AS incarnation, unnest($46::bigint[]) AS token) u
      LEFT JOIN queue q ON q.demand = u.demand AND q.priority = u.priority
      LEFT JOIN worker w ON w.id = u.worker AND w.incarnation = u.incarnation AND w.state = 0 AND NOT w.drain
                            AND w.lease_until > clock_timestamp() AND q.is_idle
     WHERE (u.job IN (SELECT id FROM new_job)) IS TRUE
    RETURNING job, stage, first, worker, leased_at
)
SELECT s.job, s.stage, s.first, s.leased_at, w.lease_until
  FROM new_slice s
  LEFT JOIN worker w ON w.id = s.worker
 ORDER BY s.job, s.stage, s.first

-- name: hot_jobs_by_key
SELECT idempotency_key, id, fingerprint FROM job WHERE idempotency_key = ANY ($1::text[])

-- name: hot_stages_insert
-- Arrays: job, stage, name, demand, priority, run, from stage (-1: none), after, fails the job, retries, backoff, most
-- backoff, max_parallel, total, released, rank.
INSERT INTO stage (job, stage, name, demand, priority, run, from_stage, after_mask, fail_job, retries_max, backoff_ms,
                   backoff_max_ms, max_parallel, total, open, released, rank)
SELECT u.job, u.stage, u.name, u.demand, u.priority, u.run, nullif(u.from_stage, -1::smallint), u.after_mask, u.fail_job,
       u.retries_max, u.backoff_ms, u.backoff_max_ms, u.max_parallel, u.total, u.total, u.released, u.rank
  FROM (SELECT unnest($1::bigint[]) AS job, unnest($2::smallint[]) AS stage, unnest($3::text[]) AS name,
               unnest($4::integer[]) AS demand, unnest($5::smallint[]) AS priority, unnest($6::text[]) AS run,
               unnest($7::smallint[]) AS from_stage, unnest($8::bigint[]) AS after_mask, unnest($9::boolean[]) AS fail_job,
               unnest($10::integer[]) AS retries_max, unnest($11::bigint[]) AS backoff_ms,
               unnest($12::bigint[]) AS backoff_max_ms, unnest($13::integer[]) AS max_parallel,
               unnest($14::bigint[]) AS total, unnest($15::boolean[]) AS released, unnest($16::bigint[]) AS rank) u

-- name: hot_services_insert
-- Arrays: job, service, name, demand, run, depends, on_failure, restarts, window, backoff, ready deadline.
INSERT INTO service (job, service, name, demand, run, depends_mask, on_failure, restart_max, restart_window_ms,
                     restart_backoff_ms, ready_deadline_ms)
SELECT *
  FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::integer[], $5::text[], $6::bigint[], $7::smallint[],
              $8::integer[], $9::bigint[], $10::bigint[], $11::bigint[])
       AS u (job, service, name, demand, run, depends_mask, on_failure, restart_max, restart_window_ms,
             restart_backoff_ms, ready_deadline_ms)
