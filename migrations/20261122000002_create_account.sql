-- The HubSpot account this database belongs to.
CREATE TABLE IF NOT EXISTS hubspot_account (
    singleton    TINYINT NOT NULL DEFAULT 1 COMMENT 'Always 1: one account per database',
    portal_id    BIGINT NOT NULL COMMENT 'HubSpot account id; a token of another account is refused',
    account_type VARCHAR(64) NOT NULL COMMENT 'STANDARD, SANDBOX, DEVELOPER_TEST, ...',
    time_zone    VARCHAR(64) NOT NULL COMMENT 'IANA name; the daily request limit starts anew at its midnight',
    ui_domain    VARCHAR(255) NOT NULL COMMENT 'Host of the pages of the account, for links to records',
    currency     VARCHAR(8) NULL COMMENT 'ISO 4217 code of the currency of the account',
    created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First contact',
    updated_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Last change',
    PRIMARY KEY (singleton),
    CONSTRAINT hubspot_account_is_single CHECK (singleton = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='The HubSpot account this database mirrors';
