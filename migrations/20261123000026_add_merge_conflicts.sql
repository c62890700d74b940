-- A record that was merged into another one is no deleted record: nothing of it is made anew.
ALTER TABLE conflicts
    MODIFY COLUMN kind VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'fields: both sides changed them; deleted_here, deleted_in_hubspot: the other side edited what was deleted there; merged_in_hubspot: this row and that of the record it was merged into were both edited here',
    DROP CONSTRAINT IF EXISTS conflicts_kind,
    ADD CONSTRAINT conflicts_kind CHECK (kind IN ('fields', 'deleted_here', 'deleted_in_hubspot', 'merged_in_hubspot'));
