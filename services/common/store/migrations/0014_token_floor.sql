-- Tokens of leases keep up with the clock, a block of 65,536 for each hundredth of a second since 2020. A server that has taken over without
-- the last commits, or was restored, so gives none that was given before: a report under it would count for another lease.
-- Every connection that takes tokens calls this first. Less than a second behind is left alone, so that whoever takes a block
-- meanwhile takes none that is above the floor.
CREATE FUNCTION raise_lease_token() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    least bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(20260107, 2);
    least := 65536 * floor(extract(epoch FROM clock_timestamp() - timestamptz '2020-01-01 00:00:00Z') * 100)::bigint;
    IF (SELECT last_value FROM lease_token) < least - 100 * 65536 THEN
        PERFORM setval('lease_token', least);
    END IF;
END
$$;
