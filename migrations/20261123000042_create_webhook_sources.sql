-- Whether HubSpot still tells of changes. Polling finds them all the same; a change it finds and nobody told of is unannounced.
CREATE TABLE IF NOT EXISTS webhook_sources (
    object_type       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, ...',
    last_event_at     DATETIME(3) NULL COMMENT 'When the last event of the type was dealt with, UTC; NULL: there never was one',
    unannounced       BIGINT NOT NULL DEFAULT 0 COMMENT 'Changes polling found since then',
    unannounced_runs  INT NOT NULL DEFAULT 0 COMMENT 'Searches that found some since then',
    unannounced_since DATETIME(3) NULL COMMENT 'When it found the first of them, UTC',
    silent_since      DATETIME(3) NULL COMMENT 'Since when webhooks of the type count as silent, UTC; NULL: they do not',
    PRIMARY KEY (object_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Whether webhooks arrive, one row a type';
