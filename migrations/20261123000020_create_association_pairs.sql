-- Which types HubSpot can link with each other; asked for once a day.
CREATE TABLE IF NOT EXISTS association_pairs (
    from_type  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'As in hubspot_associations',
    to_type    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'As in hubspot_associations',
    is_read    BOOLEAN NOT NULL COMMENT 'Whether links between the two are read',
    reason     TEXT NULL COMMENT 'Why they are not',
    checked_at DATETIME(3) NOT NULL COMMENT 'When HubSpot was asked',
    PRIMARY KEY (from_type, to_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Which types are linked with each other, one row a pair';
