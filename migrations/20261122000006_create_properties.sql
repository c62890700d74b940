-- The property catalogue: what each column and JSON key means.
CREATE TABLE IF NOT EXISTS hubspot_properties (
    object_type      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, deals, ...',
    name             VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'Key in properties_json and name of a typed column',
    label            TEXT NOT NULL COMMENT 'What people see in HubSpot',
    data_type        VARCHAR(64) NOT NULL COMMENT 'bool, date, datetime, enumeration, number, string, ...',
    field_type       VARCHAR(64) NOT NULL COMMENT 'text, select, checkbox, calculation_equation, ...',
    group_name       VARCHAR(255) NOT NULL COMMENT 'The group it is shown in',
    description      TEXT NOT NULL COMMENT 'Explanation from HubSpot',
    calculated       BOOLEAN NOT NULL COMMENT 'Computed by HubSpot',
    read_only        BOOLEAN NOT NULL COMMENT 'Cannot be written',
    has_unique_value BOOLEAN NOT NULL COMMENT 'No two records share a value',
    hidden           BOOLEAN NOT NULL COMMENT 'Hidden in HubSpot',
    hubspot_defined  BOOLEAN NOT NULL COMMENT 'Defined by HubSpot, not by the account',
    options          JSON NOT NULL COMMENT 'Options of an enumeration: a list of label, value, displayOrder, hidden',
    archived         BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'No longer in the catalogue of HubSpot',
    hubspot_updated_at DATETIME(3) NULL COMMENT 'When the definition last changed',
    created_at       DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First seen',
    updated_at       DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (object_type, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Property definitions by object type';
