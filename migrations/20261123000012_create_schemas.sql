-- The custom object types that are mirrored. A type once read is known from then on, whatever a later read says.
CREATE TABLE IF NOT EXISTS hubspot_schemas (
    object_type_id       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Type id in HubSpot, such as 2-1234567',
    object_type          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Its name here: as in sync_state, and behind hubspot_ in the name of its table',
    fully_qualified_name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'Its name in HubSpot, such as p123_cars',
    singular_label       VARCHAR(255) NOT NULL COMMENT 'What people call one record',
    plural_label         VARCHAR(255) NOT NULL COMMENT 'What people call several',
    default_columns      JSON NOT NULL COMMENT 'Typed columns its table has without being asked: a list of name, column_type, indexed',
    created_at           DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First read',
    updated_at           DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (object_type_id),
    UNIQUE KEY hubspot_schemas_by_object_type (object_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Custom object types';
