-- What an audit found, and what people should know of the lanes beside the regular runs.
ALTER TABLE sync_runs
    ADD COLUMN IF NOT EXISTS report JSON NULL COMMENT 'What an audit found, by kind of difference, with examples' AFTER requests;
ALTER TABLE sync_state
    ADD COLUMN IF NOT EXISTS notice TEXT NULL COMMENT 'Lanes that failed or were stopped, and what to do; NULL when all is well' AFTER last_error_at,
    ADD COLUMN IF NOT EXISTS waiting TEXT NULL COMMENT 'What waits for the daily request limit, and until when; NULL when nothing does' AFTER notice;
