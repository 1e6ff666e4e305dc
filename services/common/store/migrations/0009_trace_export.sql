-- Closed jobs whose trace was exported. All that were closed before setting 'trace_through' were (there is none while nothing
-- exports); of those that were closed later, the ones in here.
CREATE TABLE trace_exported (
    job       bigint PRIMARY KEY,
    closed_at timestamptz NOT NULL
);
CREATE INDEX trace_exported_closed ON trace_exported (closed_at);
