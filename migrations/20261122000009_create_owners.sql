-- Whom records are assigned to.
CREATE TABLE IF NOT EXISTS hubspot_owners (
    owner_id           BIGINT NOT NULL COMMENT 'hubspot_owner_id of records refers to it',
    email              VARCHAR(320) NULL COMMENT 'E-mail address',
    first_name         VARCHAR(255) NULL COMMENT 'Given name',
    last_name          VARCHAR(255) NULL COMMENT 'Family name',
    kind               VARCHAR(32) NULL COMMENT 'PERSON or QUEUE',
    user_id            BIGINT NULL COMMENT 'The user behind it',
    teams              JSON NOT NULL COMMENT 'List of id, name, primary',
    archived           BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'No longer active; kept because records may name it',
    hubspot_created_at DATETIME(3) NULL COMMENT 'Created in HubSpot',
    hubspot_updated_at DATETIME(3) NULL COMMENT 'Changed in HubSpot; a changed name does not move it',
    created_at         DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First seen',
    updated_at         DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (owner_id),
    KEY hubspot_owners_by_email (email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Owners, archived ones included';
