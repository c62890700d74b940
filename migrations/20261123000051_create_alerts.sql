-- What is wrong, as far as it was told. A problem that is over stays for a day, because one that comes and goes is told
-- of less and less often.
CREATE TABLE IF NOT EXISTS alerts (
    problem      VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'failing, behind, token_rejected, daily_limit, brake, too_many_deletes, dead_jobs or webhooks_silent',
    about        VARCHAR(96) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What it is about: contacts, contacts archive, ...; empty: the whole account',
    text         TEXT NOT NULL COMMENT 'What was told when it began',
    since        DATETIME(3) NOT NULL COMMENT 'When it began, UTC',
    last_seen_at DATETIME(3) NOT NULL COMMENT 'When it was last there, UTC',
    ended_at     DATETIME(3) NULL COMMENT 'When its end was told, UTC; NULL while it lasts',
    episodes     INT NOT NULL DEFAULT 1 COMMENT 'How often it began without a day in between',
    PRIMARY KEY (problem, about)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Problems somebody was told of, one row a problem';
