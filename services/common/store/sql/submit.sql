-- Submissions: services/common/store/hot_submit*.c.

-- name: hot_bundles_use
-- Array of hashes. Keeps them from being removed; seldom, because others wait for the row.
UPDATE bundle b
   SET last_used_at = clock_timestamp()
  FROM (SELECT hash FROM bundle
         WHERE hash = ANY ($1::text[]) AND last_used_at < clock_timestamp() - interval '1 minute'
         ORDER BY hash
           FOR NO KEY UPDATE) u
 WHERE b.hash = u.hash

-- name: hot_bundles
SELECT hash FROM bundle WHERE hash = ANY ($1::text[])

-- name: hot_demand_find
-- Arrays: queue, runtime, labels.
SELECT u.ordinal, d.id
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (queue, runtime, labels, ordinal)
  JOIN demand d ON d.queue = u.queue AND d.runtime = u.runtime AND d.labels = u.labels::jsonb

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
