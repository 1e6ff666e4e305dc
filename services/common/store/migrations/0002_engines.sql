-- Container engines: what runs there outlives its worker, and anyone who reaches the engine can finish the work of a dead one.

ALTER TABLE worker
    ADD engine  text, -- the engine that it reaches, as the engine names itself; null: none
    ADD trouble text; -- which runtime it should have and cannot offer, and why

ALTER TABLE instance
    ADD engine text,                         -- where its container is; null: it has none
    ADD adopt  boolean NOT NULL DEFAULT false; -- its worker's present life has to take it over: it lives on
CREATE INDEX instance_engine ON instance (engine) WHERE engine IS NOT NULL AND state BETWEEN 1 AND 10;
CREATE INDEX instance_engine_presumed ON instance (engine) WHERE engine IS NOT NULL AND state = 12;

-- Whether a reaper has reached this engine just now: it holds the engine's row of `leader`, which it renews only then.
CREATE FUNCTION engine_is_watched(engine text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM leader l WHERE l.name = 'engine/' || engine AND l.expires_at > clock_timestamp())
$$;

-- What a reaper that reaches an engine saw there when it last looked.
CREATE TABLE engine (
    id         text PRIMARY KEY,
    seen_at    timestamptz NOT NULL,
    containers integer NOT NULL, -- under this deployment's label
    orphans    integer NOT NULL, -- of these, what no row wants
    refused    boolean NOT NULL  -- too many of them to believe it: nothing is removed
);
