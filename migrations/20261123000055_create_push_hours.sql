-- Records that were changed in HubSpot, for the chart of the dashboard: to count them in sync_log takes seconds after a busy day.
CREATE TABLE IF NOT EXISTS push_hours (
    hour        DATETIME NOT NULL COMMENT 'When it began, UTC',
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, ...',
    changes     BIGINT NOT NULL COMMENT 'Records that were made, changed or archived in HubSpot because of edits made here',
    PRIMARY KEY (hour, object_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='What was sent to HubSpot, one row an hour and type, kept for 30 days';
-- What the chart shows of the time before.
INSERT IGNORE INTO push_hours (hour, object_type, changes)
SELECT DATE_FORMAT(updated_at, '%Y-%m-%d %H:00:00'), object_type, COUNT(*) FROM sync_log
WHERE direction = 'push' AND status = 'success' AND updated_at >= UTC_TIMESTAMP() - INTERVAL 2 DAY
GROUP BY 1, 2;
