-- Everything that ever happened to a conflict.
CREATE TABLE IF NOT EXISTS conflict_audit (
    id          BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Rises with time',
    conflict_id BIGINT NOT NULL COMMENT 'The conflict',
    at          DATETIME(3) NOT NULL COMMENT 'When, UTC',
    actor       VARCHAR(255) NOT NULL COMMENT 'Who: a person, or the daemon',
    step        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'opened, updated, or the status it was closed with',
    detail      JSON NULL COMMENT 'The conflict as it was from then on, or what was decided',
    PRIMARY KEY (id),
    KEY conflict_audit_by_conflict (conflict_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Every step of every conflict';
