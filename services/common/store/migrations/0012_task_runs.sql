-- For the traces of jobs, where managers are told to keep it: when leases of tasks began and ended.
CREATE TABLE task_run (
    job       bigint NOT NULL,
    token     bigint NOT NULL, -- of the lease
    stage     smallint NOT NULL,
    first     bigint NOT NULL,
    count     bigint NOT NULL,
    attempt   integer NOT NULL,
    worker    bigint NOT NULL,
    succeeded bigint NOT NULL,
    failed    bigint NOT NULL, -- with those that are tried again
    leased_at timestamptz NOT NULL,
    ended_at  timestamptz NOT NULL, -- when the report was recorded
    PRIMARY KEY (job, token)
);
