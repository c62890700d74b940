-- Why a run failed, in a word that programs can tell apart; last_error has the words for people.
ALTER TABLE sync_state
    ADD COLUMN IF NOT EXISTS error_kind VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NULL
        COMMENT 'Sort of last_error: token_rejected, access_denied, type_refused, daily_limit, hubspot, database, account, too_many_deletes, configuration or defect' AFTER last_error_at;
ALTER TABLE sync_lanes
    ADD COLUMN IF NOT EXISTS error_kind VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NULL
        COMMENT 'Sort of last_error, as in sync_state' AFTER last_error_at;
