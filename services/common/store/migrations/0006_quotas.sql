-- A token's jobs count against its quotas. What was submitted before, or without a token, is nobody's.
ALTER TABLE job ADD owner bigint; -- the token that it was submitted with
CREATE INDEX job_owner_open ON job (owner) WHERE owner IS NOT NULL AND closed_at IS NULL;
CREATE INDEX job_owner ON job (owner) WHERE owner IS NOT NULL;
-- null: what the manager's settings say; 0: no limit
ALTER TABLE token
    ADD max_jobs bigint CHECK (max_jobs >= 0),
    ADD max_tasks bigint CHECK (max_tasks >= 0),
    ADD max_services bigint CHECK (max_services >= 0),
    ADD max_log_bytes bigint CHECK (max_log_bytes >= 0);
