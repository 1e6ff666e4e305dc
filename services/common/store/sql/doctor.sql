-- What an installation's database looks like from inside: services/common/store/doctor.c.

-- name: doctor
-- Of sessions of other users their role may hide when they began: those count as none.
SELECT clock_timestamp(), pg_is_in_recovery(), current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on',
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), current_setting('max_connections')::bigint,
       coalesce((SELECT extract(epoch FROM clock_timestamp() - min(xact_start))
                   FROM pg_stat_activity
                  WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'),
                0)::double precision,
       (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()),
       (SELECT count(*) FROM pg_replication_slots WHERE xmin IS NOT NULL AND NOT active),
       (SELECT age(datfrozenxid)::bigint FROM pg_database WHERE datname = current_database()),
       (SELECT l.holder FROM leader l WHERE l.name = 'reaper' AND l.expires_at > clock_timestamp()),
       (SELECT min(format('worker ''%s'': %s', w.name, w.trouble)) FROM worker w WHERE w.state <= 3 AND w.trouble IS NOT NULL),
       (SELECT count(*)
          FROM worker w
         WHERE w.state <= 3 AND w.engine IS NOT NULL AND NOT engine_is_watched(w.engine))
