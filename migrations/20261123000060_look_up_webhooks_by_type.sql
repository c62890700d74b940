-- Of a type whose records are being read, no other event is looked at meanwhile: what is due is looked up type by type. An
-- index in order of time alone would lead through every event that waits for a busy type, again and again.
ALTER TABLE webhook_events
    ADD INDEX IF NOT EXISTS webhook_events_due (outcome, object_type_id, run_at, id),
    DROP INDEX IF EXISTS webhook_events_waiting,
    MODIFY COLUMN event_key BINARY(32) NOT NULL COMMENT 'SHA-256 of all that tells this event from others, however often it is sent: HubSpot''s eventId alone is not unique',
    MODIFY COLUMN kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'request (somebody here asked), creation, property_change, deletion, privacy_deletion, merge, restore or association_change',
    MODIFY COLUMN attempt INT NOT NULL COMMENT 'How often HubSpot had sent it before it was stored',
    COMMENT = 'Inbox of webhooks, one row an event';
