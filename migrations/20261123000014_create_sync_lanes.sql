-- How far the lanes are that find what modification dates do not show.
CREATE TABLE IF NOT EXISTS sync_lanes (
    object_type          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, deals, ...',
    lane                 VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'archive, fill, associations or audit',
    status               VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'idle' COMMENT 'idle, running or error',
    pass_cursor          VARCHAR(255) NULL COMMENT 'Where the pass under way continues; empty at its start, NULL when none is under way',
    pass_state           JSON NULL COMMENT 'What the pass under way is to do and has found so far',
    pass_started_at      DATETIME(3) NULL COMMENT 'Start of the pass under way',
    completed_at         DATETIME(3) NULL COMMENT 'Start of the last pass that came to its end',
    last_error           TEXT NULL COMMENT 'Why the last run failed and what to do; NULL after a success',
    last_error_at        DATETIME(3) NULL COMMENT 'When it failed',
    consecutive_failures INT NOT NULL DEFAULT 0 COMMENT 'Failed runs since the last success',
    next_run_at          DATETIME(3) NULL COMMENT 'When the next run is due; NULL: none is',
    requested            JSON NULL COMMENT 'A pass asked for by a command, and how',
    requested_at         DATETIME(3) NULL COMMENT 'When it was asked for',
    created_at           DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'Row created',
    updated_at           DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (object_type, lane),
    CONSTRAINT sync_lanes_status CHECK (status IN ('idle', 'running', 'error'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Lanes beside the regular runs, one row a type and lane';
