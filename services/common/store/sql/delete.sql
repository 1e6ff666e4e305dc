-- Deletes jobs with all that belongs to them; their rows are locked, so that nobody changes what belongs to them meanwhile.
-- Of tables that can have many rows of a job at most $2 at a time.

-- name: delete_logs
DELETE FROM log WHERE ctid = ANY (ARRAY (SELECT ctid FROM log WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_events
DELETE FROM event WHERE ctid = ANY (ARRAY (SELECT ctid FROM event WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_task_errors
DELETE FROM task_error WHERE ctid = ANY (ARRAY (SELECT ctid FROM task_error WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_task_runs
DELETE FROM task_run WHERE ctid = ANY (ARRAY (SELECT ctid FROM task_run WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_results
DELETE FROM result WHERE ctid = ANY (ARRAY (SELECT ctid FROM result WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_items
DELETE FROM item WHERE ctid = ANY (ARRAY (SELECT ctid FROM item WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_slices
DELETE FROM slice WHERE ctid = ANY (ARRAY (SELECT ctid FROM slice WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_instances
DELETE FROM instance WHERE ctid = ANY (ARRAY (SELECT ctid FROM instance WHERE job = ANY ($1::bigint[]) LIMIT $2::bigint))

-- name: delete_jobs
-- And what a job has few of.
WITH stages AS (
    DELETE FROM stage WHERE job = ANY ($1::bigint[])
), services AS (
    DELETE FROM service WHERE job = ANY ($1::bigint[])
)
DELETE FROM job WHERE id = ANY ($1::bigint[])
