-- Finds the open run of a type, at every start of a run and after every crash, without reading 90 days of runs.
CREATE INDEX IF NOT EXISTS sync_runs_by_outcome ON sync_runs (outcome, object_type);
