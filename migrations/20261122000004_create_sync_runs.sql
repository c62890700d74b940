-- What every run did, kept for 90 days.
CREATE TABLE IF NOT EXISTS sync_runs (
    run_id       BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Rises with time',
    object_type  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'As in sync_state',
    lane         VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'backfill, incremental, delayed or reference',
    triggered_by VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'schedule or request',
    started_at   DATETIME(3) NOT NULL COMMENT 'When it began',
    finished_at  DATETIME(3) NULL COMMENT 'When it ended; NULL while it runs',
    outcome      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'running' COMMENT 'running, succeeded, failed or interrupted',
    window_start DATETIME(3) NULL COMMENT 'First modification time searched; NULL for listings',
    window_end   DATETIME(3) NULL COMMENT 'Last modification time searched',
    fetched      BIGINT NOT NULL DEFAULT 0 COMMENT 'Records HubSpot showed',
    inserted     BIGINT NOT NULL DEFAULT 0 COMMENT 'Rows written for the first time',
    updated      BIGINT NOT NULL DEFAULT 0 COMMENT 'Rows rewritten because their content differed',
    unchanged    BIGINT NOT NULL DEFAULT 0 COMMENT 'Records the mirror held already, or in a newer copy; nothing written',
    deleted      BIGINT NOT NULL DEFAULT 0 COMMENT 'Rows marked archived',
    quarantined  BIGINT NOT NULL DEFAULT 0 COMMENT 'Records that could not be stored, see quarantine',
    requests     BIGINT NOT NULL DEFAULT 0 COMMENT 'Requests sent to HubSpot',
    error        TEXT NULL COMMENT 'Why it failed',
    PRIMARY KEY (run_id),
    KEY sync_runs_by_type (object_type, run_id),
    KEY sync_runs_by_start (started_at),
    CONSTRAINT sync_runs_outcome CHECK (outcome IN ('running', 'succeeded', 'failed', 'interrupted'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='One row a run';
