-- What the time of an instance went into, in seconds: warming up until it was ready (or was not to be any more), useful while its job
-- worked, idle from then on until it was gone, and leaked: what is later than $6 milliseconds after its stop was asked for. `gone` is
-- now for one that may exist. An instance that was never started has no time.
CREATE FUNCTION service_seconds(began timestamptz, ready timestamptz, work_ended timestamptz, stop_asked timestamptz,
                                gone timestamptz, allowance_ms bigint)
RETURNS TABLE (warming double precision, useful double precision, idle double precision, leaked double precision)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(extract(epoch FROM w.until - began), 0)::double precision,
           coalesce(extract(epoch FROM u.until - w.until), 0)::double precision,
           coalesce(extract(epoch FROM i.until - u.until), 0)::double precision,
           coalesce(extract(epoch FROM gone - i.until), 0)::double precision
      FROM (SELECT CASE WHEN began IS NOT NULL THEN greatest(began, least(ready, stop_asked, gone)) END AS until) w
     CROSS JOIN LATERAL (SELECT CASE WHEN ready IS NULL THEN w.until
                                     ELSE greatest(w.until, least(work_ended, stop_asked, gone)) END AS until) u
     CROSS JOIN LATERAL (SELECT CASE WHEN u.until IS NOT NULL THEN greatest(u.until, least(
                                     stop_asked + allowance_ms * interval '1 millisecond', gone)) END AS until) i
$$;
