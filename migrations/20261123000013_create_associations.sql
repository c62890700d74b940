-- Links between records, each stored once: from the type that comes first (contacts, companies, deals, ...) to the other.
CREATE TABLE IF NOT EXISTS hubspot_associations (
    from_type     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Type of the record the link starts at, as in sync_state',
    from_id       BIGINT NOT NULL COMMENT 'hubspot_id of the record the link starts at',
    to_type       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Type of the record the link leads to, as in sync_state',
    to_id         BIGINT NOT NULL COMMENT 'hubspot_id of the record the link leads to',
    category      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Who defined this kind of link: HUBSPOT_DEFINED, USER_DEFINED, INTEGRATOR_DEFINED, WORK',
    type_id       BIGINT NOT NULL COMMENT 'Number of this kind of link in this direction',
    label         VARCHAR(255) NULL COMMENT 'What people see; NULL for the plain link',
    is_primary    BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'The primary one among the links of the record it starts at',
    first_seen_at DATETIME(3) NOT NULL COMMENT 'When the daemon first saw it; stays when it is removed and comes back',
    removed_at    DATETIME(3) NULL COMMENT 'When the daemon found it gone; NULL while it exists',
    PRIMARY KEY (from_type, from_id, to_type, to_id, category, type_id),
    KEY hubspot_associations_by_target (to_type, to_id, from_type, from_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Links between records, one row a kind of link; also those that were removed';
