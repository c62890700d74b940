-- Records that were changed in HubSpot, for the chart of the dashboard: to count them in sync_log takes seconds after a busy day.
CREATE TABLE IF NOT EXISTS push_hours (
    hour        DATETIME NOT NULL COMMENT 'When it began, UTC',
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, ...',
    changes     BIGINT NOT NULL COMMENT 'Records that were made, changed or archived in HubSpot because of edits made here',
    PRIMARY KEY (hour, object_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='What was sent to HubSpot, one row an hour and type, kept for 30 days';
