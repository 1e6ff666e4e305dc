-- name: metrics
-- One row of numbers; every part reads a partial index.
SELECT coalesce((SELECT extract(epoch FROM clock_timestamp() - j.created_at)
                   FROM job j
                  WHERE j.id = (SELECT min(s.job) FROM slice s WHERE s.state = 1)), 0)::double precision,
       (SELECT count(*) FROM (SELECT FROM slice WHERE state = 1 LIMIT 10000) r),
       (SELECT count(*) FROM slice WHERE state = 2),
       (SELECT count(*) FROM slice WHERE state = 3),
       j.open, j.paused, j.waiting, j.cleaning, j.kept, j.stuck,
       (SELECT count(*) FROM instance WHERE state BETWEEN 1 AND 10),
       (SELECT count(*)
          FROM instance i
          LEFT JOIN job k ON k.id = i.job
         WHERE i.state BETWEEN 1 AND 10
           AND (k.id IS NULL OR k.closed_at IS NOT NULL
                OR i.stop_requested_at <= (SELECT clock_timestamp()) - interval '60 seconds')),
       greatest(0, coalesce(extract(epoch FROM clock_timestamp() - least(
           (SELECT min(attention_at) FROM job WHERE attention_at IS NOT NULL),
           (SELECT min(due_at) FROM slice WHERE state = 3),
           (SELECT min(lease_until) + interval '5 seconds' FROM worker WHERE state <= 3))), 0))::double precision,
       (SELECT coalesce(sum(orphans), 0)::bigint FROM engine),
       (SELECT count(*) FROM engine WHERE refused),
       (SELECT coalesce(sum(networks_kept), 0)::bigint FROM engine),
       t.warming, t.useful, t.idle, t.leaked
  FROM (SELECT count(*) FILTER (WHERE outcome IS NULL) AS open,
               count(*) FILTER (WHERE outcome IS NULL AND paused) AS paused,
               count(*) FILTER (WHERE outcome IS NULL AND phase = 0) AS waiting,
               count(*) FILTER (WHERE outcome IS NOT NULL AND cleanup = 1) AS cleaning,
               count(*) FILTER (WHERE outcome IS NOT NULL AND cleanup = 4) AS kept,
               count(*) FILTER (WHERE outcome IS NOT NULL AND cleanup = 3) AS stuck
          FROM job
         WHERE closed_at IS NULL) j
 CROSS JOIN (SELECT coalesce(sum(v.warming), 0) AS warming, coalesce(sum(v.useful), 0) AS useful,
                    coalesce(sum(v.idle), 0) AS idle, coalesce(sum(v.leaked), 0) AS leaked
               FROM instance i
               LEFT JOIN job k ON k.id = i.job
              CROSS JOIN LATERAL service_seconds(coalesce(i.started_at, i.placed_at), i.ready_at, k.finished_at,
                                                 i.stop_requested_at, (SELECT clock_timestamp()), 60000) v
              WHERE i.state BETWEEN 1 AND 10) t

-- name: metrics_workers
SELECT state, count(*) FROM worker GROUP BY state
