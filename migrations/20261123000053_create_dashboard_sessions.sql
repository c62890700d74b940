-- People who are signed in to the dashboard.
CREATE TABLE IF NOT EXISTS dashboard_sessions (
    id_hash    BINARY(32) NOT NULL COMMENT 'SHA-256 of the id in the cookie',
    created_at DATETIME(3) NOT NULL COMMENT 'When the password was given',
    expires_at DATETIME(3) NOT NULL COMMENT 'When it has to be given again',
    PRIMARY KEY (id_hash),
    KEY dashboard_sessions_by_end (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='People who are signed in; delete a row to sign somebody out';
