-- Changes that came by webhooks, which belong to no run, for the chart of the dashboard.
CREATE TABLE IF NOT EXISTS webhook_hours (
    hour        DATETIME NOT NULL COMMENT 'When it began, UTC',
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, ...',
    changes     BIGINT NOT NULL COMMENT 'Rows written or marked archived because a webhook told of their records',
    PRIMARY KEY (hour, object_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='What webhooks brought, one row an hour and type, kept for 30 days';
