-- Deletes jobs with all that belongs to them; their rows are locked. Children first: a crash in between rolls back anyway.

-- name: delete_logs
DELETE FROM log WHERE job = ANY ($1::bigint[])
-- name: delete_events
DELETE FROM event WHERE job = ANY ($1::bigint[])
-- name: delete_task_errors
DELETE FROM task_error WHERE job = ANY ($1::bigint[])
-- name: delete_results
DELETE FROM result WHERE job = ANY ($1::bigint[])
-- name: delete_items
DELETE FROM item WHERE job = ANY ($1::bigint[])
-- name: delete_slices
DELETE FROM slice WHERE job = ANY ($1::bigint[])
-- name: delete_stages
DELETE FROM stage WHERE job = ANY ($1::bigint[])
-- name: delete_instances
DELETE FROM instance WHERE job = ANY ($1::bigint[])
-- name: delete_services
DELETE FROM service WHERE job = ANY ($1::bigint[])
-- name: delete_jobs
DELETE FROM job WHERE id = ANY ($1::bigint[])
