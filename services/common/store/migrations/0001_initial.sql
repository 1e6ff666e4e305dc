-- The whole of Curfew's state. States are small integers that services/common/model/states.h names; a test holds the two
-- against each other.
--
-- Every change of a job, of its stages, of its slices (but for the claim of a ready one), of its events and logs happens
-- under the job's row lock. Locks are taken in the order worker, job (by id), slice, instance.

CREATE TABLE setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO setting VALUES ('deployment', substr(replace(gen_random_uuid()::text, '-', ''), 1, 12));

CREATE TABLE bundle (
    hash         text PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
    content      bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE bundle ALTER content SET STORAGE EXTERNAL; -- compressed already

-- What a worker must offer to be given a slice or an instance: interned, so that claims compare integers.
CREATE TABLE demand (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue   text NOT NULL,  -- '' for services
    runtime text NOT NULL,  -- '' is any that runs commands; 'pull' is outside workers
    labels  jsonb NOT NULL, -- the worker's labels must contain these
    UNIQUE (queue, runtime, labels)
);

CREATE TABLE worker (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    incarnation   integer NOT NULL,
    state         smallint NOT NULL,
    host          text NOT NULL,
    boot          text NOT NULL,
    runtimes      text[] NOT NULL,
    queues        text[] NOT NULL,
    labels        jsonb NOT NULL,
    slots         integer NOT NULL,
    registered_at timestamptz NOT NULL,
    lease_until   timestamptz NOT NULL,
    drain         boolean NOT NULL DEFAULT false,
    note          text -- why it is quarantined or lost
) WITH (fillfactor = 50);

CREATE TABLE job (
    id                 bigint PRIMARY KEY,
    name               text NOT NULL,
    labels             jsonb NOT NULL,
    priority           smallint NOT NULL,
    spec               text NOT NULL, -- canonical JSON, inline items left out
    bundle             text,          -- hash
    idempotency_key    text,
    fingerprint        text,          -- of the submitted body
    autostop_on        smallint NOT NULL, -- a bit per outcome; 0 is autostop: false
    linger_ms          bigint NOT NULL,
    keep_on_failure_ms bigint NOT NULL,
    timeout_ms         bigint NOT NULL,   -- 0: none
    max_lifetime_ms    bigint NOT NULL,
    services           smallint NOT NULL, -- how many it declares
    phase              smallint NOT NULL, -- waiting (for its services) or released
    paused             boolean NOT NULL DEFAULT false,
    stop_requested_at  timestamptz,
    delete_requested   boolean NOT NULL DEFAULT false, -- to be deleted as soon as it is closed
    outcome            smallint,
    cleanup            smallint NOT NULL,
    reason_code        text,
    reason_message     text,
    created_at         timestamptz NOT NULL,
    started_at         timestamptz,
    finished_at        timestamptz,
    closed_at          timestamptz,
    keep_until         timestamptz, -- kept services stop then
    attention_at       timestamptz, -- when time alone changes this job next: the deadlines sweep looks here
    log_bytes          bigint NOT NULL DEFAULT 0,
    event_count        integer NOT NULL DEFAULT 0,
    CHECK ((outcome IS NULL) = (finished_at IS NULL)),
    CHECK (closed_at IS NULL OR outcome IS NOT NULL)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX job_idempotency_key ON job (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_attention ON job (attention_at) WHERE attention_at IS NOT NULL;
CREATE INDEX job_closed ON job (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX job_open ON job (id) WHERE closed_at IS NULL;
CREATE INDEX job_delete_requested ON job (id) WHERE delete_requested;
CREATE INDEX job_bundle ON job (bundle) WHERE bundle IS NOT NULL;

CREATE TABLE stage (
    job            bigint NOT NULL,
    stage          smallint NOT NULL, -- position in the spec, from 0
    name           text NOT NULL,
    demand         integer NOT NULL,
    priority       smallint NOT NULL,
    run            text,              -- JSON for the worker that runs it; NULL for pull
    from_stage     smallint,          -- its tasks are this one's outputs
    after_mask     bigint NOT NULL,   -- a bit per stage that must be closed before its tasks are released
    fail_job       boolean NOT NULL,  -- on_failure
    retries_max    integer NOT NULL,
    backoff_ms     bigint NOT NULL,
    backoff_max_ms bigint NOT NULL,
    max_parallel   integer NOT NULL,  -- 0: no limit
    total          bigint NOT NULL,
    open           bigint NOT NULL,   -- unfinished tasks
    succeeded      bigint NOT NULL DEFAULT 0,
    failed         bigint NOT NULL DEFAULT 0,
    cancelled      bigint NOT NULL DEFAULT 0,
    released       boolean NOT NULL,  -- its tasks may be claimed
    closed         boolean NOT NULL DEFAULT false,
    rank           bigint NOT NULL DEFAULT 0, -- where its next slice goes in the queue
    PRIMARY KEY (job, stage),
    CHECK (open = total - succeeded - failed - cancelled AND open >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE SEQUENCE lease_token;

-- The partition of each stage's tasks [0, total). Runs of succeeded tasks are merged as they finish.
CREATE TABLE slice (
    job         bigint NOT NULL,
    stage       smallint NOT NULL,
    first       bigint NOT NULL,
    count       bigint NOT NULL CHECK (count > 0),
    state       smallint NOT NULL,
    attempt     integer NOT NULL DEFAULT 0, -- how often its tasks have been started
    failures    integer NOT NULL DEFAULT 0, -- of these, how many count against retries.max
    demand      integer NOT NULL,
    priority    smallint NOT NULL,
    rank        bigint NOT NULL DEFAULT 0,
    worker      bigint,
    incarnation integer,
    token       bigint,
    leased_at   timestamptz,
    cancel      boolean NOT NULL DEFAULT false, -- its worker is asked to end it
    due_at      timestamptz,                    -- delayed until then
    PRIMARY KEY (job, stage, first)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX slice_ready ON slice (demand, priority DESC, rank, job) WHERE state = 1;
CREATE INDEX slice_leased ON slice (worker, token) WHERE state = 2;
CREATE INDEX slice_delayed ON slice (due_at) WHERE state = 3;
CREATE INDEX slice_cancel ON slice (worker) WHERE state = 2 AND cancel;

-- Items in chunks of at most 1,000 tasks or 64 KiB, one compact JSON value a line, each line ended by a newline. Never
-- changed. A stage without rows here (count: n) has null items.
CREATE TABLE item (
    job   bigint NOT NULL,
    stage smallint NOT NULL,
    first bigint NOT NULL,
    count integer NOT NULL CHECK (count > 0),
    lines text NOT NULL,
    PRIMARY KEY (job, stage, first)
);

-- Outputs of stages that no other stage reads.
CREATE TABLE result (
    job     bigint NOT NULL,
    stage   smallint NOT NULL,
    task    bigint NOT NULL,
    ordinal integer NOT NULL,
    output  text NOT NULL, -- one compact JSON value
    PRIMARY KEY (job, stage, task, ordinal)
);

-- The last failure of each task that failed at least once.
CREATE TABLE task_error (
    job     bigint NOT NULL,
    stage   smallint NOT NULL,
    task    bigint NOT NULL,
    attempt integer NOT NULL,
    error   text NOT NULL,
    exit    integer,
    at      timestamptz NOT NULL,
    PRIMARY KEY (job, stage, task)
);

CREATE TABLE service (
    job                bigint NOT NULL,
    service            smallint NOT NULL, -- position in the spec, from 0
    name               text NOT NULL,
    demand             integer NOT NULL,
    run                text NOT NULL,     -- JSON for the worker that runs it
    depends_mask       bigint NOT NULL,   -- a bit per service that must be ready before
    on_failure         smallint NOT NULL, -- fail_job, restart, ignore
    restart_max        integer NOT NULL,
    restart_window_ms  bigint NOT NULL,
    restart_backoff_ms bigint NOT NULL,
    ready_deadline_ms  bigint NOT NULL,
    PRIMARY KEY (job, service)
);

-- One start of a service, and in the end its certificate.
CREATE TABLE instance (
    job               bigint NOT NULL,
    service           smallint NOT NULL,
    epoch             integer NOT NULL,
    name              text NOT NULL, -- the service's
    demand            integer NOT NULL,
    state             smallint NOT NULL,
    not_before        timestamptz NOT NULL, -- a restart waits for its backoff
    runtime           text,
    object            text, -- what the runtime calls it
    worker            bigint,
    incarnation       integer,
    host              text,
    ports             text, -- JSON {"main": 40123}
    created_at        timestamptz NOT NULL,
    placed_at         timestamptz,
    started_at        timestamptz,
    ready_at          timestamptz,
    ready_by          timestamptz, -- the start deadline, from when it is placed
    stop_requested_at timestamptz,
    stop_reason       text,
    failed            boolean NOT NULL DEFAULT false, -- never became ready, or ended without being asked
    stopped_at        timestamptz,
    verified_at       timestamptz,
    exit_code         integer,
    exit_signal       integer,
    signals           text, -- JSON [{"signal": "SIGTERM", "at": "..."}]
    boundary          text, -- of the process runtime
    grade             smallint,
    error             text,
    PRIMARY KEY (job, service, epoch)
) WITH (fillfactor = 50);
CREATE INDEX instance_pending ON instance (demand, not_before) WHERE state = 0;
CREATE INDEX instance_worker ON instance (worker) WHERE state BETWEEN 1 AND 10;
CREATE INDEX instance_presumed ON instance (worker) WHERE state = 12;

-- Numbered under the job's lock: a reader who has seen n has seen all before n.
CREATE TABLE event (
    job  bigint NOT NULL,
    seq  integer NOT NULL,
    at   timestamptz NOT NULL,
    kind text NOT NULL,
    data text NOT NULL, -- JSON object
    PRIMARY KEY (job, seq)
);

-- Chunks as workers ship them. (source, position) makes a repeated report harmless; seq orders the chunks of a job.
CREATE TABLE log (
    job      bigint NOT NULL,
    source   text NOT NULL,   -- "service/cache/1" (epoch) or "task/count/17/1" (attempt)
    position bigint NOT NULL, -- of its first byte in the source's stream
    seq      bigint NOT NULL, -- job.log_bytes when it came, under the job's lock
    at       timestamptz NOT NULL,
    content  bytea NOT NULL,
    PRIMARY KEY (job, source, position)
);
CREATE INDEX log_seq ON log (job, seq);

CREATE TABLE leader (
    name       text PRIMARY KEY,
    holder     text NOT NULL,
    epoch      bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Microseconds since 1970, exactly; null stays null.
CREATE FUNCTION time_of(microseconds bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT timestamptz 'epoch' + microseconds / 1000000 * interval '1 second'
                               + microseconds % 1000000 * interval '1 microsecond'
$$;

-- What must always hold, and does not: the slices of each stage are disjoint and cover [0, total), counters are the sums of
-- the slices, nothing is claimable that may not be claimed, nothing is left of closed jobs. No rows: all is well.
-- Of one job, or of all with null.
CREATE FUNCTION violations(only_job bigint) RETURNS TABLE (job bigint, stage smallint, problem text)
LANGUAGE sql STABLE AS $$
    WITH jobs AS (
        SELECT * FROM job j WHERE only_job IS NULL OR j.id = only_job
    ), stages AS (
        SELECT g.*, j.phase, j.paused, j.outcome, j.closed_at FROM stage g JOIN jobs j ON j.id = g.job
    ), slices AS (
        SELECT s.*, lag(s.first + s.count) OVER (PARTITION BY s.job, s.stage ORDER BY s.first) AS previous_end
          FROM slice s
         WHERE only_job IS NULL OR s.job = only_job
    ), sums AS (
        SELECT s.job, s.stage, max(s.first + s.count) AS end_of_all,
               coalesce(sum(s.count) FILTER (WHERE s.state <= 3), 0) AS open,
               coalesce(sum(s.count) FILTER (WHERE s.state = 4), 0) AS succeeded,
               coalesce(sum(s.count) FILTER (WHERE s.state = 5), 0) AS failed,
               coalesce(sum(s.count) FILTER (WHERE s.state = 6), 0) AS cancelled,
               coalesce(sum(s.count) FILTER (WHERE s.state BETWEEN 1 AND 3), 0) AS moving,
               coalesce(sum(s.count) FILTER (WHERE s.state = 0), 0) AS held,
               coalesce(sum(s.count) FILTER (WHERE s.state = 1), 0) AS ready,
               coalesce(sum(s.count) FILTER (WHERE s.state = 2), 0) AS leased
          FROM slices s
         GROUP BY s.job, s.stage
    ), items AS (
        SELECT m.job, m.stage, m.first, m.count, m.lines,
               lag(m.first + m.count) OVER (PARTITION BY m.job, m.stage ORDER BY m.first) AS previous_end
          FROM item m
         WHERE only_job IS NULL OR m.job = only_job
    )
    SELECT s.job, s.stage, format('slices before task %s end at %s', s.first, coalesce(s.previous_end, 0))
      FROM slices s WHERE s.first <> coalesce(s.previous_end, 0)
    UNION ALL
    SELECT g.job, g.stage, format('slices end at %s of %s', coalesce(s.end_of_all, 0), g.total)
      FROM stages g LEFT JOIN sums s USING (job, stage) WHERE coalesce(s.end_of_all, 0) <> g.total
    UNION ALL
    SELECT s.job, s.stage, 'slices without a stage'
      FROM sums s LEFT JOIN stage g USING (job, stage) WHERE g.job IS NULL
    UNION ALL
    SELECT g.job, g.stage, format('open, succeeded, failed, cancelled are %s, %s, %s, %s, the slices say %s, %s, %s, %s', g.open,
                                  g.succeeded, g.failed, g.cancelled, s.open, s.succeeded, s.failed, s.cancelled)
      FROM stages g JOIN sums s USING (job, stage)
     WHERE (g.open, g.succeeded, g.failed, g.cancelled) <> (s.open, s.succeeded, s.failed, s.cancelled)
    UNION ALL
    SELECT s.job, s.stage, format('leased slice %s has no worker or token', s.first)
      FROM slices s WHERE s.state = 2 AND (s.worker IS NULL OR s.token IS NULL OR s.leased_at IS NULL)
    UNION ALL
    SELECT s.job, s.stage, format('delayed slice %s is never due', s.first)
      FROM slices s WHERE s.state = 3 AND s.due_at IS NULL
    UNION ALL
    SELECT g.job, g.stage, format('%s tasks are ready before their time', s.ready)
      FROM stages g JOIN sums s USING (job, stage)
     WHERE s.ready > 0 AND (NOT g.released OR g.phase <> 1 OR g.outcome IS NOT NULL)
    UNION ALL
    SELECT g.job, g.stage, format('%s tasks at once, at most %s may', s.moving, g.max_parallel)
      FROM stages g JOIN sums s USING (job, stage) WHERE g.max_parallel > 0 AND s.moving > g.max_parallel
    UNION ALL
    SELECT g.job, g.stage, format('%s tasks are open in what is closed', g.open)
      FROM stages g WHERE g.open > 0 AND (g.closed OR g.closed_at IS NOT NULL)
    UNION ALL
    SELECT i.job, NULL, format('instance %s/%s is in state %s of a closed job', i.name, i.epoch, i.state)
      FROM instance i JOIN jobs j ON j.id = i.job WHERE j.closed_at IS NOT NULL AND i.state NOT IN (11, 12)
    UNION ALL
    SELECT i.job, NULL, format('instance %s/%s is gone without a certificate', i.name, i.epoch)
      FROM instance i JOIN jobs j ON j.id = i.job
     WHERE i.state IN (11, 12) AND (i.grade IS NULL OR i.verified_at IS NULL OR i.stopped_at IS NULL)
    UNION ALL
    SELECT min(s.job), NULL, format('token %s is leased %s times', s.token, count(*))
      FROM slices s WHERE s.state = 2 GROUP BY s.token HAVING count(*) > 1
    UNION ALL
    SELECT s.job, s.stage, format('slice %s differs from its stage in demand or priority', s.first)
      FROM slices s JOIN stages g USING (job, stage) WHERE (s.demand, s.priority) <> (g.demand, g.priority)
    UNION ALL
    SELECT g.job, g.stage, format('%s tasks are held without reason', s.held)
      FROM stages g JOIN sums s USING (job, stage)
     WHERE s.held > 0 AND g.released AND g.phase = 1 AND NOT g.paused AND g.outcome IS NULL
       AND (g.max_parallel = 0 OR s.moving < g.max_parallel)
    UNION ALL
    SELECT g.job, g.stage, format('%s tasks wait in a job that has ended', s.open - s.leased)
      FROM stages g JOIN sums s USING (job, stage) WHERE g.outcome IS NOT NULL AND s.open > s.leased
    UNION ALL
    SELECT m.job, m.stage, format('items before task %s end at %s', m.first, coalesce(m.previous_end, 0))
      FROM items m WHERE m.first <> coalesce(m.previous_end, 0)
    UNION ALL
    SELECT m.job, m.stage, format('items of task %s are not %s lines', m.first, m.count)
      FROM items m
     WHERE m.count <> length(m.lines) - length(replace(m.lines, E'\n', '')) OR right(m.lines, 1) <> E'\n'
    UNION ALL
    SELECT m.job, m.stage, format('%s of %s tasks have items', sum(m.count), min(g.total))
      FROM items m JOIN stages g USING (job, stage) GROUP BY m.job, m.stage HAVING sum(m.count) <> min(g.total)
    UNION ALL
    SELECT j.id, NULL, format('has %s events, counts %s', count(e.seq), j.event_count)
      FROM jobs j LEFT JOIN event e ON e.job = j.id
     GROUP BY j.id, j.event_count HAVING count(e.seq) <> j.event_count OR coalesce(max(e.seq), 0) <> j.event_count
$$;
