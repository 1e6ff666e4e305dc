-- Instances: services/common/store/read_services.c. All of these have the same first columns.

-- name: read_services
SELECT i.job, i.name, i.epoch, i.state, i.runtime, i.object, w.name, i.host, i.ports, i.created_at, i.placed_at,
       i.started_at, i.ready_at, i.stop_requested_at, i.stop_reason, i.stopped_at, i.verified_at, i.exit_code,
       i.exit_signal, i.failed, i.error
  FROM instance i
  LEFT JOIN worker w ON w.id = i.worker
 WHERE i.job = $1
 ORDER BY i.service, i.epoch

-- name: read_live_services
-- Behind (job $1, service $2, epoch $3). Everything that may exist now.
SELECT i.job, i.name, i.epoch, i.state, i.runtime, i.object, w.name, i.host, i.ports, i.created_at, i.placed_at,
       i.started_at, i.ready_at, i.stop_requested_at, i.stop_reason, i.stopped_at, i.verified_at, i.exit_code,
       i.exit_signal, i.failed, i.error, i.service
  FROM instance i
  LEFT JOIN worker w ON w.id = i.worker
 WHERE i.state BETWEEN 1 AND 10 AND (i.job, i.service, i.epoch) > ($1, $2, $3)
 ORDER BY i.job, i.service, i.epoch
 LIMIT $4::bigint

-- name: read_leaks
-- Behind (job $1, service $2, epoch $3). What may exist though its job is closed or gone, or though its stop was asked for $5
-- milliseconds ago, or that is stuck.
SELECT i.job, i.name, i.epoch, i.state, i.runtime, i.object, w.name, i.host, i.ports, i.created_at, i.placed_at,
       i.started_at, i.ready_at, i.stop_requested_at, i.stop_reason, i.stopped_at, i.verified_at, i.exit_code,
       i.exit_signal, i.failed, i.error, i.service
  FROM instance i
  LEFT JOIN worker w ON w.id = i.worker
  LEFT JOIN job j ON j.id = i.job
 WHERE i.state BETWEEN 1 AND 10 AND (i.job, i.service, i.epoch) > ($1, $2, $3)
   AND (j.id IS NULL OR j.closed_at IS NOT NULL OR i.state = 9
        OR i.stop_requested_at <= (SELECT clock_timestamp()) - $5::bigint * interval '1 millisecond')
 ORDER BY i.job, i.service, i.epoch
 LIMIT $4::bigint

-- name: read_cleanup
-- What should be gone for $2 milliseconds is leaked.
SELECT j.cleanup, i.name, i.epoch, i.runtime, i.object, w.name, i.stop_requested_at, i.stop_reason, i.signals,
       i.exit_code, i.exit_signal, i.grade, i.verified_at, i.state, i.boundary, i.stopped_at, i.failed, i.error,
       t.warming, t.useful, t.idle, t.leaked
  FROM job j
  LEFT JOIN instance i ON i.job = j.id
  LEFT JOIN worker w ON w.id = i.worker
 CROSS JOIN LATERAL service_seconds(coalesce(i.started_at, i.placed_at), i.ready_at, j.finished_at, i.stop_requested_at,
                                    coalesce(i.stopped_at, i.verified_at, (SELECT clock_timestamp())), $2) t
 WHERE j.id = $1
 ORDER BY i.service, i.epoch
